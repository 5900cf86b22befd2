"""The embedded model on graphs, as names of defects need it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from safetensors import safe_open

from oddlens.backbone.files import MINI_FOLDER
from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.loading.embedded import graphs_of
from oddlens.runtime import GraphMethod
from oddlens.runtime.graph_folder import GraphFolder
from oddlens.runtime.graph_method import GraphModel
from oddlens.runtime.words import Words
from oddlens.teaching.crop_tower import CropsSeen, Vectors, unit


class GraphTower:
    """See `crop_tower.CropTower`. It runs the graphs of WinCLIP, whatever graphs of the model a detector runs."""

    def __init__(self, model: GraphModel) -> None:
        """Raises `UsageError` for graphs of any other model, which hold no more than their method needs."""
        folder = GraphFolder.read(graphs_of("winclip"))
        if model.identity != folder.model:
            raise UsageError(
                f"names of defects need the whole model {model.card.name}, not its graphs: use the station that was exported, with "
                "PyTorch (pip install 'oddlens[torch]')"
            )
        self._method = GraphMethod(folder)
        self._words = Words(folder, "cpu", "onnx")
        with safe_open(MINI_FOLDER / "model.safetensors", framework="np") as weights:
            self.scale = math.exp(float(weights.get_tensor("logit_scale")))

    def words(self, prompts: Sequence[str]) -> Vectors:
        """See `CropTower`."""
        return unit(self._words.embeddings(prompts))

    def see(self, images: Sequence[Pixels], *, embeds: bool) -> CropsSeen:
        """See `CropTower`. The graph gives embeddings in any case."""
        method, request = self._method, self._method.request
        found = method.encode(method.vision_pass([request.view(image) for image in images], request))
        patches: Vectors = found["reference:patch"].astype(np.float32)
        side = math.isqrt(patches.shape[1])
        return CropsSeen(unit(found["image"].astype(np.float32)) if embeds else None, unit(patches), (side, side))
