"""Scores that belong together: a station that was taught gives the same image another score, and no chart mixes both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oddlens.errors import counted, first_and_more
from oddlens.history.history import History
from oddlens.station.learning import scored_otherwise


@dataclass(frozen=True)
class Comparable:
    """What scored inspections as it is wanted, and in what the others were scored in another way.

    Attributes:
        by: Numbers of identities, as `History.scores` has them.
        ways: In what others differ.
    """

    by: frozenset[int]
    ways: tuple[str, ...] = ()

    @classmethod
    def of(cls, history: History, scored_by: Iterable[int], wanted: Mapping[str, object] | None) -> Comparable:
        """Of all that scored some inspections. wanted: an identity; None: any."""
        numbers = frozenset(scored_by)
        if wanted is None:
            return cls(numbers)
        wanted = json.loads(json.dumps(dict(wanted)))  # as it is read back: lists for tuples
        ways = {number: scored_otherwise(found, wanted) for number, found in history.identities(numbers).items()}
        others = dict.fromkeys(name for each in ways.values() for name in each)
        return cls(frozenset(number for number in numbers if not ways[number]), tuple(others))

    def left_out(self, count: int) -> str | None:
        """Which were scored in another way, as the subject of a sentence. count: how many."""
        if not count:
            return None
        ways = first_and_more(self.ways, 3)
        return f"{counted(count, 'earlier inspection')} scored in another way ({ways})"


def scores_document(history: History, station: str, wanted: Mapping[str, object] | None) -> dict[str, object]:
    """A station's newest scores as JSON values, column by column, the newest first.

    wanted: what the station scores with now; those that were scored in another way are left out, which "note" says in a sentence.
    None: all of them.
    """
    found = history.scores(station)
    same = Comparable.of(history, (each[-1] for each in found), wanted)
    kept = [each for each in found if each[-1] in same.by]
    left_out = same.left_out(len(found) - len(kept))
    columns = {name: [each[at] for each in kept] for at, name in enumerate(("id", "score", "verdict", "said"))}
    return columns | {"note": left_out and f"Not counted: {left_out}: the thresholds are not for such scores."}
