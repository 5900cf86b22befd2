"""JSON from disk or from a user, read strictly; a check of the form of its values; and how a time is written in it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import (
    Literal,
    NoReturn,
    NotRequired,
    Required,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from oddlens.errors import UsageError

_T = TypeVar("_T")


class DoubleFieldError(ValueError):
    """A field stands twice in an object. name: the field's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it has the field {name} twice")
        self.name = name


def parse_json(text: str | bytes, *, doubles: bool = True) -> object:
    """The value of a JSON text. doubles: whether a field may stand twice in an object; the last one counts then.

    Python's own reader takes NaN and 1e999, and ends in a `RecursionError` on deep nesting.

    Raises:
        ValueError: The text is no JSON, or holds NaN, infinities or nesting that is too deep.
        DoubleFieldError: A field stands twice, and must not.

    Examples:
        >>> parse_json('{"scores": [0.5]}')
        {'scores': [0.5]}
    """
    try:
        pairs = None if doubles else _once
        return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=pairs)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise DoubleFieldError(next(name for name in names if names.count(name) > 1))
    return found


def checked(value: object, form: type[_T], name: str = "it") -> _T:
    """A JSON value that has a form; it stays the same object.

    Args:
        value: The JSON value.
        form: A `TypedDict`, or a type made of such, str, int, float, bool, None, list, dict, object and literal texts. An object
            may have more keys than its `TypedDict`.
        name: The name of the value in the reason.

    Raises:
        ValueError: It has another form; the message is that of `form_fault`.

    Examples:
        >>> checked([0.5, 1], list[float])
        [0.5, 1]
    """
    if fault := form_fault(value, form, name):
        raise ValueError(fault)
    return cast("_T", value)  # every part of it was looked at


def require_form(value: object, form: type[_T], wrong: str) -> _T:
    """As `checked`. wrong: what a value of another form is, in words: "this is no region".

    Raises:
        UsageError: It has another form; the sentence is `wrong`, and why.
    """
    try:
        return checked(value, form)
    except ValueError as fault:
        raise UsageError(f"{wrong}: {fault}") from None


def form_fault(value: object, form: object, name: str = "it") -> str:
    """The reason why a JSON value does not have a form; "" if it has.

    Args:
        value: The JSON value.
        form: What `checked` takes (float takes whole numbers too, and int takes no bool); or, where there is no type: None;
            `[form]`, a list of such; `{key: form}`, an object that has at least these keys; `(form, form)`, either.
        name: The name of the value in the reason.

    Examples:
        >>> form_fault({"sizes": 3}, {"sizes": [int], "note": (str, None)})
        'it lacks note'
        >>> form_fault({"sizes": 3, "note": None}, {"sizes": [int], "note": (str, None)})
        'sizes is no list'
    """
    return _fault(value, _form_of(form) if is_typeddict(form) or get_origin(form) is not None else form, name)


def _fault(value: object, form: object, name: str) -> str:
    """As `form_fault`, where no part of the form is a type but a plain one."""
    if isinstance(form, type):  # first: most are
        return _fault_of_type(value, form, name)
    if isinstance(form, tuple):
        faults = []
        for each in form:
            if not (fault := _fault(value, each, name)):
                return ""
            faults.append(fault)
        return faults[0]
    if isinstance(form, dict):
        form = _Keys(form, form.keys())
    if isinstance(form, _Keys):
        if not isinstance(value, dict):
            return f"{name} is no object"
        if not form.required <= value.keys():
            return f"{name} lacks {', '.join(sorted(form.required - value.keys()))}"
        for key, each in form.forms.items():
            if key in value and (fault := _fault(value[key], each, key)):
                return fault
        return ""
    if isinstance(form, _Values):
        if not isinstance(value, dict):
            return f"{name} is no object"
        return _first(_fault(each, form.form, f"an entry of {name}") for each in value.values())
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{name} is no list"
        return _first(_fault(each, form[0], f"an entry of {name}") for each in value)
    if isinstance(form, _OneOf):
        return "" if value in form.values else f"{name} is none of {', '.join(form.values)}"
    assert form is None
    return "" if value is None else f"{name} is not null"


def _first(faults: Iterable[str]) -> str:
    return next(filter(None, faults), "")


def _fault_of_type(value: object, kind: type, name: str) -> str:
    if kind is object or (type(value) is kind and kind is not float):
        return ""
    fits = isinstance(value, int | float if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if kind is float and isinstance(value, int | float):
        fits = fits and abs(value) < 2**1023  # a whole number may be beyond what float can hold
    return "" if fits else f"{name} is no {_KINDS[kind]}"


@dataclass(frozen=True)
class _Keys:
    """An object with forms by key, of which some are required."""

    forms: dict[str, object]
    required: Set[str]


@dataclass(frozen=True)
class _Values:
    """An object with any keys, whose values have one form."""

    form: object


@dataclass(frozen=True)
class _OneOf:
    """One of some texts."""

    values: tuple[str, ...]


@cache
def _form_of(hint: object) -> object:
    """The form that a type stands for."""
    origin, parts = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        assert isinstance(hint, type)
        hints = get_type_hints(hint, include_extras=True)  # in the order of their lines
        required: frozenset[str] = getattr(hint, "__required_keys__", frozenset())
        marks = {name: get_origin(each) for name, each in hints.items()}  # `__required_keys__` knows none in a text
        return _Keys(
            {name: _form_of(each) for name, each in hints.items()},
            {
                name
                for name, mark in marks.items()
                if mark is Required or (name in required and mark is not NotRequired)
            },
        )
    if origin in (NotRequired, Required):
        return _form_of(parts[0])
    if origin in (Union, UnionType):
        return tuple(map(_form_of, parts))
    if origin is Literal:
        return _OneOf(parts)
    if origin is list:
        return [_form_of(parts[0])]
    if origin is dict:
        return _Values(_form_of(parts[1]))
    return None if hint is NoneType else hint


def said_time(time: datetime) -> str:
    """A time as JSON of oddlens has it: ISO 8601 in UTC with milliseconds, "2026-11-26T13:30:00.000Z"."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "object", list: "list"}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large for a number")
    return value
