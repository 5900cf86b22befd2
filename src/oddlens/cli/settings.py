"""Methods and recipe fields on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from oddlens.errors import UsageError
from oddlens.io.strict_json import parse_json
from oddlens.methods.registry import method_cards

ActivationOption = Annotated[
    str | None,
    typer.Option(
        "--activation",
        metavar="NAME",
        help="The model's GELU: gelu or quick_gelu. Weights files that stand alone do not say it.",
        show_default="the model's",
    ),
]
"""Of every verb that names a model."""

METHOD_NAMES = ", ".join(method_cards())
"""The methods there are, for help texts."""


def recipe_overrides(settings: list[str], **options: Any) -> dict[str, Any]:
    """field=value pairs; values are JSON where they read as it (numbers, true, lists), else text.

    options: fields that have an option of their own; None where it was not given.
    """
    overrides = {name: value for name, value in options.items() if value is not None}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {setting!r} is not of the form field=value, for instance image_size=448")
        name = name.strip()
        if name in overrides:
            raise UsageError(f"{name} is given more than once: give it one value")
        try:
            overrides[name] = parse_json(text)
        except ValueError:
            overrides[name] = text.strip()
    return overrides


def overrides_by_method(settings: Sequence[str], methods: Sequence[str], **options: Any) -> dict[str, dict[str, Any]]:
    """The overrides of each of several methods: `method.field=value` is of that method, and wins over `field=value`, of all.

    options: as of `recipe_overrides`, of all methods.
    """
    common: list[str] = []
    own: dict[str, list[str]] = {method: [] for method in methods}
    for setting in settings:
        method, dot, rest = setting.partition(".")
        if not dot or "=" in method:
            common.append(setting)
        elif method.strip() in own:
            own[method.strip()].append(rest)
        else:
            raise UsageError(f"--set {setting!r} is of a method that does not run: here run {', '.join(methods)}")
    return {method: recipe_overrides(common, **options) | recipe_overrides(own[method]) for method in methods}
