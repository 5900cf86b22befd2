"""Frozen features as a step takes them."""

import numpy as np
import pytest
import torch

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.vision_pass import VisionPass
from oddlens.data.masks import resize_mask
from oddlens.errors import OddlensError
from oddlens.methods.base import Features
from oddlens.training.frozen import Encoder, RecomputedFeatures
from oddlens.training.images import single_images
from oddlens.training.precision import Precision
from oddlens.training.samples import SampleSet
from tests.training.learning import SIZE, FakeTrainable

EXACT = Precision("float32", {})


@pytest.fixture
def features(backbone: Backbone) -> RecomputedFeatures:
    return RecomputedFeatures(Encoder(FakeTrainable(backbone), EXACT))


def test_a_batch_holds_features_masks_states_and_names(
    features: RecomputedFeatures, sets: tuple[SampleSet, ...], backbone: Backbone
) -> None:
    views = single_images(sets[0])[1:6]
    batch = features.batch(views)
    request = FakeTrainable(backbone).request
    vision_pass = VisionPass(backbone, [request.view(view.read()[0]) for view in views], request)
    assert torch.allclose(batch.features["image"], vision_pass.features.image, atol=1e-5)
    assert batch.features["patches/last"].shape == (5, 25, backbone.vision.config.width)
    assert batch.labels.tolist() == [view.label for view in views]
    assert batch.object_names == [view.object_name for view in views]


def test_masks_are_brought_to_the_towers_size_by_the_authors_rule(
    features: RecomputedFeatures, sets: tuple[SampleSet, ...]
) -> None:
    views = single_images(sets[0])
    batch = features.batch(views)
    assert batch.masks.dtype == torch.int64
    assert batch.masks.shape == (len(views), SIZE, SIZE)
    for view, mask in zip(views, batch.masks, strict=True):
        assert np.array_equal(mask.numpy(), resize_mask(view.read()[1], SIZE))
    assert batch.masks.any(dim=(1, 2)).tolist() == [view.label == 1 for view in views]


def test_a_views_features_are_the_same_bits_whatever_it_is_batched_with(
    features: RecomputedFeatures, sets: tuple[SampleSet, ...]
) -> None:
    views = single_images(sets[0])
    together, alone = features.batch(views), features.batch([views[3]])
    for name in together.features:
        assert torch.equal(together.features[name][3:4], alone.features[name])


def test_fewer_bits_change_features_a_little_and_give_float32(
    backbone: Backbone, features: RecomputedFeatures, sets: tuple[SampleSet, ...]
) -> None:
    views = single_images(sets[0])[:2]
    exact = features.batch(views).features["image"]
    rounded = (
        RecomputedFeatures(Encoder(FakeTrainable(backbone), Precision("bfloat16", {}))).batch(views).features["image"]
    )
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize(
    ("precision", "advice"), [("bfloat16", "give --precision float32"), ("float32", "check the model")]
)
def test_features_that_are_not_finite_are_refused_with_their_image(
    precision: str, advice: str, backbone: Backbone, sets: tuple[SampleSet, ...]
) -> None:
    class Overflowing(FakeTrainable):
        def encode(self, vision_pass: VisionPass) -> Features:
            return {name: value * float("inf") for name, value in super().encode(vision_pass).items()}

    encoder = Encoder(Overflowing(backbone), Precision(precision, {}))
    image = single_images(sets[0])[1]
    with pytest.raises(OddlensError) as error:
        encoder.arrays(image)
    path = image.samples[0].record.image
    assert str(error.value) == f"{path} has features that are not finite in {precision}: {advice}"


def test_what_learns_can_follow_gradients_through_the_batch(
    features: RecomputedFeatures, sets: tuple[SampleSet, ...]
) -> None:
    batch = features.batch(single_images(sets[0])[:2])
    weight = torch.ones(batch.features["image"].shape[1], requires_grad=True)
    (batch.features["image"] @ weight).sum().backward()
    assert weight.grad is not None
