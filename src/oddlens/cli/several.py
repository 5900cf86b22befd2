"""The program as one of several processes that `torchrun` starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.errors import UsageError

if TYPE_CHECKING:
    from oddlens.training.processes import Processes


@contextmanager
def started_together(words: Sequence[str]) -> Iterator[Processes | None]:
    """The processes that work on this call, of which only the first prints; None if this one is alone.

    Args:
        words: The words of the call.

    Raises:
        UsageError: The verb does not divide its work among processes of torchrun.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("WORLD_SIZE", "1") == "1":
        yield None
        return
    from oddlens.training.processes import joined

    with joined() as processes:
        if words[:1] != ["train"]:
            raise UsageError(
                "torchrun started several processes, and only 'oddlens train' divides its work among them: start this verb without "
                "torchrun ('oddlens detect' and 'oddlens benchmark' take --engine ray for several processes)"
            )
        with ExitStack() as silence:
            if not processes.first:
                nowhere = silence.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
                silence.enter_context(redirect_stdout(nowhere))
                silence.enter_context(redirect_stderr(nowhere))
            yield processes
