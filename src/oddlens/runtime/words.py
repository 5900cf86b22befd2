"""The text side of graphs: prompts through the text graph, cached on disk, or prompt embeddings that were exported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from oddlens.backbone.cache import TextCache
from oddlens.backbone.tokenizer import Tokenizer, read_tokenizer
from oddlens.errors import ModelError, UsageError, printable, shortened
from oddlens.methods.common.templates import sentences
from oddlens.methods.scoring import Numbers
from oddlens.runtime.engine import GraphRuntime
from oddlens.runtime.graph_folder import TEXT, TEXTS, TOKENIZER, GraphFolder, GraphPrompts
from oddlens.runtime.session import open_graph

_TOGETHER = 64
"""Prompts that run at once."""


class Words:
    """What the graphs of a method know of words. Several threads may use it."""

    def __init__(self, folder: GraphFolder, device: str, runtime: GraphRuntime) -> None:
        self._folder = folder
        self._device = device
        self._runtime = runtime

    def text(self, object_name: str) -> dict[str, Numbers]:
        """The text side for an object, by the names that graphs are given it; {} where the method has no words.

        Raises:
            UsageError: The prompts are too long, or these graphs were exported for other objects.
            ModelError: A file is missing or damaged.
        """
        if not self._folder.card.needs.text:
            return {}
        if TEXT in self._folder:
            return {"prototypes": self._prototypes(object_name)}
        return self._exported(object_name)

    def _prototypes(self, object_name: str) -> NDArray[np.float32]:
        """As `methods.common.prompt_ensemble.prototypes`."""
        prompts = self._prompts
        normal, abnormal = (
            sentences(object_name, states, prompts["templates"]) for states in (prompts["normal"], prompts["abnormal"])
        )
        embeddings = self.embeddings([*normal, *abnormal]).astype(np.float64)
        if prompts["unit_sentences"]:
            embeddings = _unit(embeddings)
        means = np.stack([embeddings[: len(normal)].mean(axis=0), embeddings[len(normal) :].mean(axis=0)])
        return _unit(means).astype(np.float32)

    def embeddings(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Prompt embeddings, [prompts, embed_dim], not normalised; from the disk cache where they are known."""
        path, digest = self._folder.file(TEXT)
        cache = TextCache(f"{self._folder.model.sha256}:graph {digest}")
        known = cache.get(prompts)
        if known is not None:
            return known
        graph = open_graph(path, digest, self._device, self._runtime)
        ids, ends = self._tokenizer.arrays(prompts)
        parts: list[tuple[NDArray[np.int64], Numbers]] = []
        order = np.argsort(ends, kind="stable")
        for first in range(0, len(prompts), _TOGETHER):
            some = order[first : first + _TOGETHER]
            given = {"ids": ids[some, : int(ends[some].max()) + 1], "ends": ends[some]}
            parts.append((some, graph.run(given, self._folder.outputs(TEXT))["embeddings"]))
        found = np.empty((len(prompts), parts[0][1].shape[1]), np.float32)
        for some, embeddings in parts:
            found[some] = embeddings
        cache.put(prompts, found)
        return found

    @property
    def _prompts(self) -> GraphPrompts:
        prompts = self._folder.document["prompts"]
        assert prompts is not None  # a folder with a text graph has them
        return prompts

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        path, _ = self._folder.file(TOKENIZER)
        prompts = self._prompts
        return Tokenizer(read_tokenizer(path), prompts["context"], cleans=prompts["cleans"])

    def _exported(self, object_name: str) -> dict[str, Numbers]:
        objects = self._folder.document["objects"]
        if objects is not None and object_name not in objects:
            raise UsageError(
                f"these graphs know no words of {shortened(object_name)}: give one of {', '.join(map(printable, objects))}, or "
                "export the station again with --objects"
            )
        number = 0 if objects is None else objects.index(object_name)
        prefix = f"{number}:"
        return {name.removeprefix(prefix): value for name, value in self._texts.items() if name.startswith(prefix)}

    @cached_property
    def _texts(self) -> dict[str, Numbers]:
        path, _ = self._folder.file(TEXTS)
        try:
            found: dict[str, Numbers] = load_file(path)
        except (SafetensorError, OSError, TypeError) as error:
            raise ModelError(f"{printable(str(path))} is damaged: export the graphs again") from error
        return found


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to unit length."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12))
