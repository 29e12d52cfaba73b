"""Raises the import system's own exception with words of its own, and without a module's name."""

from __future__ import annotations

raise ModuleNotFoundError("install the extra called sails")
