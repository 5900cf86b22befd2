"""The loss of mask decoders: every mask of a frame is matched with a query, which learns its pixels and its class.

It is Mask2Former's, in the code of transformers. Import it only after `decoder_shape.check_installed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerHungarianMatcher,
    Mask2FormerLoss,
    dice_loss,
    sample_point,
    sigmoid_cross_entropy_loss,
)

PARTS = {"class": "loss_cross_entropy", "mask": "loss_mask", "dice": "loss_dice"}
WEIGHTS = {"loss_cross_entropy": 2.0, "loss_mask": 5.0, "loss_dice": 5.0}
"""The weights of the parts, in the loss and in the matching (Mask2Former; FC-CLIP, released code)."""

NO_OBJECT = 0.1
"""The weight of void in the cross-entropy (as above)."""

_SURELY_NOT = -20.0


@dataclass(frozen=True)
class Targets:
    """The truth of a batch of frames.

    Attributes:
        classes: The numbers of the classes of each frame, int64 [classes].
        masks: Their masks, float [classes, height, width].
        ignored: Pixels that do not count, bool [batch, height, width].
    """

    classes: list[Tensor]
    masks: list[Tensor]
    ignored: Tensor

    def totals(self, queries: int) -> dict[str, float]:
        """What the loss of these frames is divided by: "masks", and "queries", which count by their weights."""
        counts = [len(each) for each in self.classes]
        matched = [min(count, queries) for count in counts]
        return {
            "masks": sum(counts),
            "queries": sum(found + NO_OBJECT * (queries - found) for found in matched),
        }


def targets_of(classes: Tensor, ignored: int = 255) -> Targets:
    """From class numbers of every pixel, [batch, height, width]: one mask for each class that a frame has."""
    present = [numbers.unique() for numbers in classes]
    present = [numbers[numbers != ignored].long() for numbers in present]
    masks = [(frame == numbers[:, None, None]).float() for frame, numbers in zip(classes, present, strict=True)]
    return Targets(present, masks, classes == ignored)


class MaskLoss(Mask2FormerLoss):  # type: ignore[misc]
    """Hungarian matching, then cross-entropy, binary cross-entropy and Dice on points, most of them where a mask is unsure.

    Args:
        classes: The number of known classes.
        points: Sampled points of a mask.
        leave_out: Pixels that do not count have no part in it (ours); otherwise they belong to no mask, as in the released code,
            which teaches a decoder to predict no mask where the unknown was removed.
    """

    def __init__(self, classes: int, points: int, *, leave_out: bool = True) -> None:
        config = Mask2FormerConfig(num_labels=classes, no_object_weight=NO_OBJECT, train_num_points=points)
        super().__init__(config, WEIGHTS)
        costs = {"cost_class": WEIGHTS["loss_cross_entropy"], "cost_mask": WEIGHTS["loss_mask"]}
        self.matcher = _Matcher(**costs, cost_dice=WEIGHTS["loss_dice"], num_points=points)
        self.leave_out = leave_out

    def parts(
        self,
        masks: Sequence[Tensor],
        logits: Sequence[Tensor],
        targets: Targets,
        totals: Mapping[str, float] | None = None,
    ) -> dict[str, Tensor]:
        """The weighted "class", "mask" and "dice" loss, each summed over the layers of the decoder, output last.

        Args:
            masks: Of every layer, logits [batch, queries, rows, columns].
            logits: Of every layer, [batch, queries, classes + 1], void last.
            targets: The truth.
            totals: `Targets.totals` of all frames of a step, of which these are some: the parts are what these add to its loss.
        """
        self.ignored = targets.ignored[:, None].float() if self.leave_out else torch.zeros_like(masks[-1][:, :1])
        self.matcher.ignored = F.interpolate(self.ignored, masks[-1].shape[-2:], mode="nearest").bool()
        layers = [
            {"masks_queries_logits": of_masks, "class_queries_logits": of_classes}
            for of_masks, of_classes in zip(masks, logits, strict=True)
        ]
        found = self(
            **layers[-1],
            mask_labels=targets.masks,
            class_labels=targets.classes,
            auxiliary_predictions=layers[:-1],
        )
        own = targets.totals(masks[-1].shape[1])
        shares = {name: max(own[name], 1) / max(value, 1) for name, value in (totals or own).items()}
        return {
            part: shares["queries" if part == "class" else "masks"]
            * WEIGHTS[name]
            * torch.stack([value for key, value in found.items() if key.startswith(name)]).sum()
            for part, name in PARTS.items()
        }

    def loss_masks(
        self,
        masks_queries_logits: Tensor,
        mask_labels: list[Tensor],
        indices: Sequence[tuple[Tensor, Tensor]],
        num_masks: Tensor,
    ) -> dict[str, Tensor]:
        """As the parent's; a point on a pixel that does not count becomes certain and right: it adds no loss and no gradient."""
        frames, queries = self._get_predictions_permutation_indices(indices)
        found = masks_queries_logits[frames, queries][:, None]
        true = torch.cat([masks[order] for masks, (_, order) in zip(mask_labels, indices, strict=True)])[:, None]
        with torch.no_grad():
            # pixels that do not count are certain: else most points would lie there
            points = self.sample_points_using_uncertainty(
                found.masked_fill(self.matcher.ignored[frames], _SURELY_NOT),
                self.calculate_uncertainty,
                self.num_points,
                self.oversample_ratio,
                self.importance_sample_ratio,
            )
            left_out = sample_point(self.ignored[frames], points, mode="nearest", align_corners=False)[:, 0] > 0
            labels = sample_point(true, points, align_corners=False)[:, 0].masked_fill(left_out, 0)
        logits = sample_point(found, points, align_corners=False)[:, 0].masked_fill(left_out, _SURELY_NOT)
        return {
            "loss_mask": sigmoid_cross_entropy_loss(logits, labels, num_masks),
            "loss_dice": dice_loss(logits, labels, num_masks),
        }


class _Matcher(Mask2FormerHungarianMatcher):  # type: ignore[misc]
    """Mask2Former's; on pixels that do not count all queries are equal. ignored: bool [batch, 1, rows, columns]."""

    ignored: Tensor

    def forward(self, masks_queries_logits: Tensor, *others: object) -> list[tuple[Tensor, Tensor]]:
        filled = masks_queries_logits.masked_fill(self.ignored, _SURELY_NOT)
        matched: list[tuple[Tensor, Tensor]] = super().forward(filled, *others)
        return matched
