"""Recipe fields on the command line."""

from __future__ import annotations

import json
from typing import Any

from oddlens.errors import UsageError


def recipe_overrides(settings: list[str]) -> dict[str, Any]:
    """field=value pairs; values are JSON where they read as it (numbers, true, lists), else text."""
    overrides: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {setting!r} is not of the form field=value, for instance image_size=448")
        try:
            overrides[name.strip()] = json.loads(text)
        except ValueError:
            overrides[name.strip()] = text.strip()
    return overrides
