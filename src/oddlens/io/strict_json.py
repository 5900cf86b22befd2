"""JSON from disk or from a user, read strictly, and a check of the form of its values."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Python's own reader takes NaN and 1e999, and ends in a `RecursionError` on deep nesting.

    Raises:
        ValueError: The text is no JSON, or holds NaN, infinities or nesting that is too deep.

    Example:
        >>> parse_json('{"scores": [0.5]}')
        {'scores': [0.5]}
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def form_fault(value: object, form: object, name: str = "it") -> str:
    """The reason why a JSON value does not have a form; "" if it has.

    Args:
        value: The JSON value.
        form: A type (float takes whole numbers too, and int takes no bool); None; `[form]`, a list of such; `{key: form}`, an
            object that has at least these keys; `(form, form)`, either.
        name: The name of the value in the reason.

    Example:
        >>> form_fault({"sizes": 3}, {"sizes": [int], "note": (str, None)})
        'it lacks note'
        >>> form_fault({"sizes": 3, "note": None}, {"sizes": [int], "note": (str, None)})
        'sizes is no list'
    """
    if isinstance(form, tuple):
        faults = [form_fault(value, each, name) for each in form]
        return "" if "" in faults else faults[0]
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return f"{name} is no object"
        lacking = ", ".join(sorted(form.keys() - value.keys()))
        faults = [form_fault(value[key], each, key) for key, each in form.items() if key in value]
        return f"{name} lacks {lacking}" if lacking else next(filter(None, faults), "")
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{name} is no list"
        return next(filter(None, (form_fault(each, form[0], f"an entry of {name}") for each in value)), "")
    if form is None:
        return "" if value is None else f"{name} is not null"
    assert isinstance(form, type)
    fits = isinstance(value, int | float if form is float else form) and (form is bool or not isinstance(value, bool))
    if form is float and isinstance(value, int | float):
        fits = fits and abs(value) < 2**1023  # a whole number may be beyond what float can hold
    return "" if fits else f"{name} is no {_KINDS[form]}"


_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "object", list: "list"}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large for a number")
    return value
