"""What is stored."""

from __future__ import annotations

from django.db import models


class Entry(models.Model):
    """One line of the ledger."""

    title = models.CharField(max_length=80)
    amount = models.IntegerField(default=0)

    class Meta:
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return self.title
