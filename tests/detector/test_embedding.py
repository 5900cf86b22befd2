"""What a detector calls an image as a whole."""

import warnings

import numpy as np
import pytest

import oddlens
from oddlens.detector.embedding import embeddings_of


@pytest.mark.needs_torch
@pytest.mark.parametrize("method", ["winclip", "patch-knn", "anomalydino", "vl4ad"])
def test_an_image_is_called_the_same_beside_images_of_other_sizes(method: str) -> None:
    rng = np.random.default_rng(0)
    wide, tall = (rng.integers(0, 256, size, np.uint8) for size in ((96, 160, 3), (160, 96, 3)))
    with warnings.catch_warnings(action="ignore"):
        detector = oddlens.load(method, device="cpu")
    alone = [embeddings_of(detector.encode([each]))[0] for each in (wide, tall)]
    together = embeddings_of(detector.encode([wide, tall]))
    for one, other in zip(alone, together, strict=True):
        assert one.shape == other.shape
        assert np.allclose(one, other, rtol=0, atol=1e-4 * np.abs(one).max())


@pytest.mark.needs_torch
def test_cells_on_a_grid_are_averaged() -> None:
    with warnings.catch_warnings(action="ignore"):
        detector = oddlens.load("patch-knn", device="cpu")
    encoded = detector.encode([np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)])
    cells = [np.asarray(value) for value in encoded.features.values() if value.ndim == 4]
    finest = max(cells, key=lambda each: each.shape[1])
    assert np.allclose(embeddings_of(encoded), finest.mean(axis=(1, 2)), atol=1e-6)
