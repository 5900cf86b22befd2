"""The loss of mask decoders: that of transformers' Mask2Former, but for pixels that do not count."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss

from oddlens.training.vl4ad_loss import NO_OBJECT, WEIGHTS, MaskLoss, Targets, targets_of

K = 3


def drawn(layers: int = 2, batch: int = 2, queries: int = 5) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    masks = [torch.randn(batch, queries, 8, 12, generator=generator) for _ in range(layers)]
    logits = [torch.randn(batch, queries, K + 1, generator=generator) for _ in range(layers)]
    return masks, logits


def classes(ignored: int = 0) -> Tensor:
    """Two frames of 32 x 48 with two and three classes; the left `ignored` columns do not count."""
    frames = torch.zeros(2, 32, 48, dtype=torch.uint8)
    frames[:, 16:] = 1
    frames[1, 20:, 30:] = 2
    frames[:, :, :ignored] = 255
    return frames


def parts(loss: MaskLoss, masks: Sequence[Tensor], logits: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return loss.parts(masks, logits, targets)


def test_a_frame_has_one_mask_for_each_of_its_classes() -> None:
    targets = targets_of(classes(ignored=10))
    assert [each.tolist() for each in targets.classes] == [[0, 1], [0, 1, 2]]
    assert [tuple(each.shape) for each in targets.masks] == [(2, 32, 48), (3, 32, 48)]
    assert torch.equal(targets.masks[1].sum(dim=0) == 0, targets.ignored[1])
    assert torch.equal(targets.masks[1][2].bool(), classes(10)[1] == 2)


@pytest.mark.parametrize("leave_out", [True, False])
def test_where_everything_counts_it_is_mask2formers_with_the_weights_of_the_paper(leave_out: bool) -> None:
    masks, logits = drawn()
    found = parts(MaskLoss(K, 64, leave_out=leave_out), masks, logits, targets_of(classes()))
    config = Mask2FormerConfig(
        num_labels=K, train_num_points=64, no_object_weight=0.1, class_weight=2.0, mask_weight=5.0, dice_weight=5.0
    )
    torch.manual_seed(3)
    targets = targets_of(classes())
    theirs = Mask2FormerLoss(config, {})(
        masks[-1],
        logits[-1],
        targets.masks,
        targets.classes,
        [{"masks_queries_logits": masks[0], "class_queries_logits": logits[0]}],
    )
    weights = {"class": ("cross_entropy", 2), "mask": ("mask", 5), "dice": ("dice", 5)}
    for part, (name, weight) in weights.items():
        expected = weight * (theirs[f"loss_{name}"] + theirs[f"loss_{name}_0"])
        torch.testing.assert_close(found[part], expected)
    assert (WEIGHTS["loss_cross_entropy"], NO_OBJECT) == (2, 0.1)


@pytest.mark.parametrize("ignored", [0, 24])
def test_the_losses_of_single_frames_add_up_to_that_of_the_batch(ignored: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same points for every mask."""

    def diagonal(count: int, points: int, _: int, **__: object) -> Tensor:
        return torch.linspace(0.05, 0.95, points)[None, :, None].expand(count, points, 2).clone()

    monkeypatch.setattr(torch, "rand", diagonal)
    masks, logits = drawn()
    frames = classes(ignored)
    loss, targets = MaskLoss(K, 64), targets_of(frames)
    whole, totals = parts(loss, masks, logits, targets), targets.totals(5)
    assert totals == {"masks": 5, "queries": pytest.approx(5 + 5 * NO_OBJECT)}
    single = [
        loss.parts(*([each[part] for each in layers] for layers in (masks, logits)), targets_of(frames[part]), totals)
        for part in (slice(0, 1), slice(1, 2))
    ]
    for name, value in whole.items():
        torch.testing.assert_close(single[0][name] + single[1][name], value)


def test_pixels_that_do_not_count_move_nothing() -> None:
    masks, logits = drawn(layers=1)
    (mask,) = masks
    mask.requires_grad_()
    targets = targets_of(classes(ignored=24))
    sum(parts(MaskLoss(K, 400), masks, logits, targets).values()).backward()
    left, right = mask.grad[..., :5], mask.grad[..., 6:]
    assert not left.any()
    assert right.any()
    other = mask.detach().clone()
    other[..., :5] = 7.0
    ours, theirs = (parts(MaskLoss(K, 400), [each], logits, targets) for each in (mask, other))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_as_released_they_belong_to_no_mask() -> None:
    masks, logits = drawn(layers=1)
    masks[0].requires_grad_()
    loss = MaskLoss(K, 400, leave_out=False)
    sum(parts(loss, masks, logits, targets_of(classes(ignored=24))).values()).backward()
    assert masks[0].grad[..., :5].any()


@pytest.mark.parametrize("leave_out", [True, False])
def test_points_lie_where_a_mask_is_unsure_and_counts(leave_out: bool) -> None:
    """The left half does not count and is as unsure as can be; a quarter of the points is drawn evenly."""
    mask = torch.zeros(1, 1, 8, 12)
    mask[..., 6:] = 9.0
    mask[..., 8] = 0.5
    loss = MaskLoss(K, 100, leave_out=leave_out)
    seen: list[Tensor] = []
    sample = loss.sample_points_using_uncertainty
    loss.sample_points_using_uncertainty = lambda *given: seen.append(sample(*given)) or seen[-1]
    parts(loss, [mask], [torch.zeros(1, 1, K + 1)], targets_of(classes(ignored=24)[:1]))
    (points,) = seen
    wasted = int((12 * points[0, :, 0] < 5.5).sum())
    assert wasted < 25 if leave_out else wasted > 75


def test_more_classes_than_queries_are_matched_as_far_as_they_go() -> None:
    masks, logits = drawn(layers=1, queries=1)
    found = parts(MaskLoss(K, 64), masks, logits, targets_of(classes()))
    assert all(torch.isfinite(value) for value in found.values())


def test_a_frame_without_anything_that_counts_teaches_void_only() -> None:
    masks, logits = drawn(layers=1)
    masks[0].requires_grad_()
    frames = classes()
    frames[0] = 255
    found = parts(MaskLoss(K, 64), masks, logits, targets_of(frames))
    sum(found.values()).backward()
    assert all(torch.isfinite(value) for value in found.values())
    assert not masks[0].grad[0].any()
    assert masks[0].grad[1].any()
