"""The ConvNeXt CLIPs of open_clip: timm's names inside the open_clip layout, and the shapes that tell the architecture."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Tensor

from oddlens.backbone.convnext import ConvNextConfig
from oddlens.backbone.layouts.shapes import check_shape, whole
from oddlens.errors import ModelError, shortened

RENAMED = (
    ("visual.trunk.stem.0.", "vision.stages.0.reduce."),
    ("visual.trunk.stem.1.", "vision.stages.0.norm."),
    ("visual.trunk.stages.", "vision.stages."),
    ("visual.trunk.head.norm.", "vision.norm."),
    ("visual.head.proj.", "vision.projection."),
    ("visual.head.mlp.fc1.", "vision.hidden."),
    ("visual.head.mlp.fc2.", "vision.projection."),
)
IN_BLOCKS = (
    ("downsample.0.", "norm."), ("downsample.1.", "reduce."), ("conv_dw.", "depthwise."), ("mlp.fc1.", "fc_1."),
    ("mlp.fc2.", "fc_2."),
)  # fmt: skip

_STAGES = 4
_KNOWN_HEADS = {"timm_pool": ("", "avg"), "timm_proj": ("linear", "mlp")}


def is_convnext(vision: dict[str, Any]) -> bool:
    """Whether open_clip's `vision_cfg` names timm's ConvNeXt."""
    return str(vision.get("timm_model_name", "")).startswith("convnext_")


def check_head(vision: dict[str, Any], where: str) -> None:
    """Raises `ModelError` for a head that oddlens does not read."""
    for setting, known in _KNOWN_HEADS.items():
        if vision.get(setting) not in known:
            raise ModelError(
                f"{where} has {setting} {shortened(vision.get(setting))}, where oddlens reads {' or '.join(map(repr, known))}: "
                "choose a ConvNeXt CLIP with such a head"
            )


def config_of(vision: dict[str, Any], embed_dim: int, tensors: dict[str, Tensor], where: str) -> ConvNextConfig:
    """The shape that the tensors have, under our names. Raises `ModelError` for tensors of something else."""
    depths = tuple(
        sum(name.startswith(f"vision.stages.{stage}.blocks.") and name.endswith(".gamma") for name in tensors)
        for stage in range(_STAGES)
    )
    try:
        widths = tuple(tensors[f"vision.stages.{stage}.reduce.weight"].shape[0] for stage in range(_STAGES))
        shape = ConvNextConfig(
            image_size=whole(vision, "image_size"),
            depths=depths,
            widths=widths,
            embed_dim=embed_dim,
            hidden_width=_hidden_width(tensors),
            eps=1e-5 if str(vision["timm_model_name"]).startswith("convnext_xxlarge") else 1e-6,  # as timm builds them
        )
        check_shape(asdict(shape))
    except KeyError as error:
        raise ModelError(
            f"{where} describes a ConvNeXt, and its weights lack {error}: fetch the model again"
        ) from error
    except (IndexError, ValueError) as error:
        raise ModelError(f"{where} does not describe a ConvNeXt ({error}): fetch the model again") from error
    return shape


def _hidden_width(tensors: dict[str, Tensor]) -> int:
    hidden = tensors.get("vision.hidden.weight")
    return 0 if hidden is None else hidden.shape[0]
