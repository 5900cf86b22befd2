"""What a fuzzed input is, and how its end is judged."""

from __future__ import annotations

import json
import math
import random
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from oddlens.errors import OddlensError

RESULT, SENTENCE, FINDING = "result", "sentence", "finding"

_LONGEST_SENTENCE = 2000
_SHORTEST_SENTENCE = 25
_BEFORE_ADVICE = (": ", "; ", ", or ", ", did you mean ", ", for instance ")


@dataclass(frozen=True)
class Case:
    """An input: what it is in words, and how it is run. `run` may raise an `OddlensError`, and `Wrong` for a bad result."""

    what: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Outcome:
    """How an input ended: with a result, a sentence or a finding (`detail` has the last lines of the traceback)."""

    end: str
    detail: str = ""


class Wrong(Exception):  # noqa: N818 it is no error of the program that is told, but what the fuzz found
    """A result that must not be: a number that is not finite, JSON that is none, a score that ought to be another one."""


def draw(kind: str, seed: int, number: int) -> random.Random:
    """The random numbers of one input: the same on every machine."""
    return random.Random(f"{kind}:{seed}:{number}")


def judge(run: Callable[[], object]) -> Outcome:
    """Run an input and say how it ended; nothing but an interrupt gets out of here."""
    try:
        run()
    except KeyboardInterrupt:
        raise
    except OddlensError as error:
        fault = fault_of(str(error))
        return Outcome(FINDING, f"{type(error).__name__}: {fault}: {error}"[:1500]) if fault else Outcome(SENTENCE)
    except BaseException as error:  # panics of Rust code are no `Exception`
        return Outcome(FINDING, tail_of(error))
    return Outcome(RESULT)


def fault_of(sentence: str) -> str | None:
    """What keeps a text from being one sentence that names what was wrong and what to do; None if nothing does."""
    if not sentence.isprintable():
        return "the sentence is not one line of printable text"
    if len(sentence) < _SHORTEST_SENTENCE:
        return "the sentence is too short to have a subject and an advice"
    if len(sentence) > _LONGEST_SENTENCE:
        return f"the sentence has {len(sentence)} characters"
    parts = (sentence.partition(mark) for mark in _BEFORE_ADVICE)
    if not any(
        subject.strip() and len(advice.split()) > (mark != _BEFORE_ADVICE[-1]) for subject, mark, advice in parts
    ):
        return "the sentence lacks a subject or an advice"
    return None


def check_sentence(sentence: str) -> None:
    """Raises `Wrong` where a sentence that stands in a result, such as a reason, is none."""
    if fault := fault_of(sentence):
        raise Wrong(f"{fault}: {sentence[:500]}")


def check_json(value: object) -> None:
    """Raises `Wrong` where a value is not JSON as the standard has it, or holds a number that is not finite."""
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise Wrong(f"it is no JSON ({error}): {value!r:.300}") from error
    strict_json(text)


def strict_json(text: str) -> Any:
    """Read JSON; raises `Wrong` for a bare NaN or Infinity."""

    def refuse(constant: str) -> None:
        raise Wrong(f"a bare {constant} stands in JSON: {text[:300]}")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise Wrong(f"it is no JSON ({error}): {text[:300]}") from error


def check_detections(detections: list[Any], count: int | None = None) -> None:
    """Raises `Wrong` for a detection with a number that is not finite, or what does not fit together."""
    if count is not None and len(detections) != count:
        raise Wrong(f"{len(detections)} detections of {count} pictures")
    for each in detections:
        if not isinstance(each.score, float) or not math.isfinite(each.score):
            raise Wrong(f"the score is {each.score!r}")
        if each.anomaly_map.dtype != np.float32 or each.anomaly_map.ndim != 2:
            raise Wrong(f"the map is {each.anomaly_map.dtype} {each.anomaly_map.shape}")
        if not np.isfinite(each.anomaly_map).all():
            raise Wrong("the map is not finite")
        for name, value in (("threshold", each.thresholds.image), ("pixel threshold", each.thresholds.pixel)):
            if value is not None and not math.isfinite(value):
                raise Wrong(f"the {name} is {value!r}")
        if not (math.isfinite(each.value_range.low) and math.isfinite(each.value_range.high)):
            raise Wrong(f"the range of values is {each.value_range}")
        if each.note is not None and not each.note.isprintable():
            raise Wrong(f"the note is not one line: {each.note!r:.300}")
        check_numbers(each.parts)
        check_json(each.to_dict())


def check_outcomes(outcomes: Iterable[Any]) -> None:
    """As `check_detections`, of a stream in which a bad picture is a failure with its reason."""
    for each in outcomes:
        if hasattr(each, "reason"):
            check_sentence(each.reason)
        else:
            check_detections([each])


def check_numbers(values: Mapping[str, float]) -> None:
    """Raises `Wrong` where one of the numbers is not finite."""
    if bad := {name: value for name, value in values.items() if not math.isfinite(value)}:
        raise Wrong(f"not finite: {bad}")


def tail_of(error: BaseException, lines: int = 12) -> str:
    """The last lines of an error's traceback."""
    text = "".join(traceback.format_exception(error, limit=-6, chain=False)).strip()
    return "\n".join(line[:300] for line in text.splitlines()[-lines:])
