"""A folder of graphs, run as they stand: what the export compares with torch before it leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]


class GraphFolder:
    """The graphs of a method, each loaded at its first use, and the steps of a detection in NumPy between them.

    Attributes:
        document: What graphs.json says.
    """

    def __init__(self, folder: Path) -> None:
        self.document: dict[str, Any] = json.loads((folder / "graphs.json").read_text(encoding="utf-8"))
        self._folder = folder
        self._sessions: dict[str, Any] = {}

    def __contains__(self, role: str) -> bool:
        return role in self.document["inputs"]

    def run(self, role: str, tensors: Mapping[str, Array]) -> Arrays:
        """What a graph gives, of the tensors that it asks for."""
        import onnxruntime

        if role not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            self._sessions[role] = onnxruntime.InferenceSession(
                self._folder / self.document["files"][role]["name"], options, ["CPUExecutionProvider"]
            )
        given = {name: tensors[name] for name in self.document["inputs"][role]}
        outputs = self.document["outputs"][role]
        return dict(zip(outputs, self._sessions[role].run(outputs, given), strict=True))

    def fitted(self, references: Sequence[Arrays], text: Arrays) -> Arrays:
        """The memory of good examples: rows and values by the names that few_shot asks for.

        references: the features of each, as encoder gives them of one image.
        """
        if not references:
            return {}
        own = [_flat(self.run("fit", each)) for each in references]
        rows = _joined(own)
        values = self.document["values"]
        if not values:
            return rows
        names = {f"value:{name}": each for name, each in values.items()}
        if len(references) == 1 and "held_out_alone" not in self:
            return rows | {name: np.full(each["shape"], each["neutral"], each["dtype"]) for name, each in names.items()}
        held = []
        for number, each in enumerate(references):
            others = _joined([part for other, part in enumerate(own) if other != number])
            held.append(self.run("held_out" if others else "held_out_alone", each | text | others))
        asked = {name: np.concatenate([each[name] for each in held]) for name in self.document["inputs"]["values"]}
        return rows | self.run("values", asked)

    def scores(self, features: Arrays, text: Arrays, memory: Arrays) -> Arrays:
        """What images of one size score: "scores" and "maps"."""
        return self.run("few_shot" if memory else "scorer", features | text | memory)


def _flat(rows: Arrays) -> Arrays:
    return {name: value.reshape(-1, value.shape[-1]) for name, value in rows.items()}


def _joined(parts: Sequence[Arrays]) -> Arrays:
    """Rows of several images as those of one memory; nothing of none."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
