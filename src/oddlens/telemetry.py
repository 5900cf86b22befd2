"""What packages that oddlens runs on would tell their makers of its users, and that they do not.

onnxruntime's builds send events to Microsoft, and keep an identifier of the machine in the user's cache folder (1.32 does).
`import openvino` sends one to Google Analytics for Intel, and keeps one in the user's home. Ray tells its makers what it runs. None
of them asks. oddlens uses the network for what is asked of it alone, so it turns them off; to have them, set
ORT_DISABLE_TELEMETRY=0 and RAY_USAGE_STATS_ENABLED=1, and import openvino first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

_ONNXRUNTIME = "ORT_DISABLE_TELEMETRY"
_OPENVINO = "openvino_telemetry"


def refuse_telemetry(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep onnxruntime from sending anything, whether it is imported later or was before; a setting of the user's wins."""
    if environment.setdefault(_ONNXRUNTIME, "1") == "1" and (imported := sys.modules.get("onnxruntime")) is not None:
        imported.disable_telemetry_events()


@contextmanager
def without_openvinos() -> Iterator[None]:
    """OpenVINO is imported within as where its package for telemetry, which it can do without, is not installed."""
    before = sys.modules.get(_OPENVINO)
    sys.modules[_OPENVINO] = None  # type: ignore[assignment]  # so Python's import system spells it
    try:
        yield
    finally:
        if before is None:
            del sys.modules[_OPENVINO]
        else:
            sys.modules[_OPENVINO] = before


def refuse_rays(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep a Ray that is started afterwards from sending anything; a setting of the user's wins."""
    environment.setdefault("RAY_USAGE_STATS_ENABLED", "0")
