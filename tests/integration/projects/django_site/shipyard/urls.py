"""The site's pages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path
from ledger import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("sync/", views.entries),
    path("async/", views.entries_async),
    path("stream/", views.stream),
    path("endless/", views.endless),
    path("ended/", views.ended),
    path("upload/", views.upload),
    path("fail/", views.fail),
]
