"""Imported by missing_import."""

from __future__ import annotations

import a_module_that_is_not_installed

Boat = a_module_that_is_not_installed.Model
