"""Names of defects for 'oddlens detect' and 'oddlens watch': what gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oddlens.cli.options import say
from oddlens.errors import UsageError

if TYPE_CHECKING:
    from oddlens.detector import Detector
    from oddlens.inference.sinks import Sink


def names_sink(detector: Detector, words: Sequence[str], object_name: str) -> Sink | None:
    """What gives each marked region the names that fit; None where there are none to give, or the model cannot, which is said.

    words: that are asked for; () takes those of the station.

    Raises `UsageError` where words are asked for and the model cannot name.
    """
    from oddlens.inference.region_names import RegionNamesSink
    from oddlens.teaching.namer import namer_of

    try:
        namer = namer_of(detector, words, object_name)
    except UsageError as error:
        if words:
            raise
        say(f"oddlens: the station knows names of defects, but regions get none: {error}")
        return None
    return None if namer is None else RegionNamesSink(namer)
