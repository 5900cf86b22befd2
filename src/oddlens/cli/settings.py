"""Recipe fields on the command line: what `--set` sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oddlens.errors import UsageError
from oddlens.io.strict_json import parse_json

Overrides = dict[str, Any]
"""Recipe fields by name."""


def recipe_overrides(settings: Sequence[str], given: Mapping[str, object] | None = None) -> Overrides:
    """FIELD=VALUE pairs as recipe fields; values are JSON where they read as it (numbers, true, lists, null), else text.

    None, as Python writes it, is null too.

    given: fields that have an option of their own; None where it was not given.
    """
    overrides: Overrides = {name: value for name, value in (given or {}).items() if value is not None}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {setting!r} is not of the form field=value, for instance image_size=448")
        name = name.strip()
        if name in overrides:
            raise UsageError(_TWICE.format(name))
        try:
            overrides[name] = parse_json(text)
        except ValueError:
            overrides[name] = None if text.strip() == "None" else text.strip()
    return overrides


def overrides_by_method(
    settings: Sequence[str], methods: Sequence[str], given: Mapping[str, object] | None = None
) -> dict[str, Overrides]:
    """The overrides of each of several methods: `method.field=value` is of that method, and wins over `field=value`, of all.

    given: as in `recipe_overrides`, of all methods; nothing wins over it.
    """
    common: list[str] = []
    own: dict[str, list[str]] = {method: [] for method in methods}
    for setting in settings:
        method, dot, rest = setting.partition(".")
        if not dot or "=" in method:
            common.append(setting)
        elif method.strip().casefold() in own:
            own[method.strip().casefold()].append(rest)
        else:
            raise UsageError(f"--set {setting!r} is of a method that does not run: here run {', '.join(methods)}")
    of_all = recipe_overrides(common, given)
    return {method: of_all | _own_overrides(own[method], given or {}) for method in methods}


def _own_overrides(settings: Sequence[str], given: Mapping[str, object]) -> Overrides:
    overrides = recipe_overrides(settings)
    for name in overrides.keys() & given.keys():
        raise UsageError(_TWICE.format(name))
    return overrides


_TWICE = "{0} is given more than once: give it one value"
