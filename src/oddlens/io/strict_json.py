"""JSON from disk or from a user, read strictly: what is no JSON is a `ValueError`, and what has another form is told in words."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` for anything else: also for NaN, infinities, and nesting that is too deep.

    Python's own reader takes NaN and 1e999, and ends in a `RecursionError` on deep nesting.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def form_fault(value: Any, form: Any, name: str = "it") -> str:
    """What keeps a JSON value from having a form ("sizes is no list"); "" where nothing does.

    form: a type, where float takes whole numbers too, and int takes no bool; None; `[form]`, a list of such; `{key: form}`, an
    object that has these keys at least; `(form, form)`, either. name: how the value is called.
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
    fits = isinstance(value, int | float if form is float else form) and (form is bool or not isinstance(value, bool))
    fits = fits and (form is not float or abs(value) < 2**1023)  # a whole number may be beyond what float can hold
    return "" if fits else f"{name} is no {_KINDS[form]}"


_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "object", list: "list"}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large for a number")
    return value
