"""The ledger in Django's admin."""

from __future__ import annotations

from django.contrib import admin

from .models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    """Entries, listed with their amounts."""

    list_display = ("title", "amount")
