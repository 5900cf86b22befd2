"""A share of each kind of hostile input: every one of them ends in a clean result or in one sentence.

`make fuzz` runs many more. An input that fails is run again, alone and with its traceback, by the command that the failure shows.
"""

from __future__ import annotations

import pytest

from tests.fuzz import case, runner
from tests.fuzz.runner import KINDS, Input, Tally, run_all
from tests.fuzz.self_test import input_that

SEED = 0
SHARE = {
    "images": 700, "arrays": 300, "listings": 300, "stations": 200, "weights": 120, "caches": 60, "recipes": 300, "names": 60,
}  # fmt: skip
"""How many of each kind: two or three seconds of one core for each."""


@pytest.fixture(scope="module")
def tally() -> Tally:
    """All shares, run by one worker."""
    found = Tally()
    for ended in run_all([Input(kind, SEED, number) for kind in KINDS for number in range(SHARE[kind])]):
        found.add(ended)
    return found


@pytest.mark.needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_every_input_ends_in_a_result_or_in_one_sentence(tally: Tally, kind: str) -> None:
    findings = [each for each in tally.findings if each.input.kind == kind]
    again = f"\nagain: python -m tests.fuzz --again {findings[0].input}" if findings else ""
    assert not findings, "\n".join(map(str, findings)) + again
    assert tally.ends[kind, case.RESULT] > 0
    assert tally.ends[kind, case.SENTENCE] > 0
    assert tally.ends[kind, case.RESULT] + tally.ends[kind, case.SENTENCE] == SHARE[kind]


class TestJudging:
    """The judge itself: what it must find, it finds."""

    @pytest.mark.parametrize(
        ("sentence", "fault"),
        [
            ("a.png is damaged: save or copy it again", None),
            ("--set 'x' is not of the form field=value, for instance image_size=448", None),
            ("a.png is damaged:\nsave it again", "not one line"),
            ("damaged: no", "too short"),
            ("something went wrong somewhere in here", "lacks a subject or an advice"),
            (": save or copy the file again, please", "lacks a subject or an advice"),
            ("x" * 5000 + ": give a shorter name", "has 5021 characters"),
        ],
    )
    def test_sentences(self, sentence: str, fault: str | None) -> None:
        found = case.fault_of(sentence)
        assert found is None if fault is None else fault in str(found)

    @pytest.mark.parametrize(
        "error", [ValueError("x"), RecursionError(), MemoryError(), SystemExit(1), BaseException("panic")]
    )
    def test_any_error_that_is_not_ours_is_a_finding(self, error: BaseException) -> None:
        def fail() -> None:
            raise error

        outcome = case.judge(fail)
        assert outcome.end == case.FINDING
        assert type(error).__name__ in outcome.detail

    @pytest.mark.parametrize("text", ['{"score": NaN}', "[Infinity]", "{", ""])
    def test_json_that_others_cannot_read_is_wrong(self, text: str) -> None:
        with pytest.raises(case.Wrong):
            case.strict_json(text)


class TestWorkers:
    """What ends a worker is a finding, and the rest goes on."""

    def test_a_crash_and_a_bomb(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner, "MOST_BYTES", 64 << 20)
        ends, details = self.run("end", "crash", "swell", "end")
        assert ends == [case.RESULT, case.FINDING, case.FINDING, case.RESULT]
        assert "the process ended with signal SIGABRT" in details[1]
        assert "the memory grew by" in details[2]

    def test_a_hang(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner, "MOST_SECONDS", 1.0)
        ends, details = self.run("hang")
        assert ends == [case.FINDING]
        assert "self_test.py" in details[0]
        assert "it did not end within 1 s" in details[0]

    def run(self, *names: str) -> tuple[list[str], list[str]]:
        outcomes = [each.outcome for each in run_all([input_that(name) for name in names], warm=False)]
        return [each.end for each in outcomes], [each.detail for each in outcomes]
