"""The ConvNeXt CLIPs of open_clip: timm's names inside the open_clip layout. The architecture follows from the shapes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from oddlens.backbone.convnext import ConvNextConfig
from oddlens.backbone.layouts.settings import Settings

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


def is_convnext(vision: Mapping[str, object]) -> bool:
    """Whether open_clip's `vision_cfg` names timm's ConvNeXt."""
    return str(vision.get("timm_model_name", "")).startswith("convnext_")


def check_head(settings: Settings) -> None:
    """Raise `ModelError` for a head that oddlens does not compute. settings: open_clip's `vision_cfg`."""
    for setting, known in _KNOWN_HEADS.items():
        settings.require(setting, *known)


def config_of(settings: Settings, embed_dim: int, tensors: dict[str, Tensor]) -> ConvNextConfig:
    """The shape that the tensors have, under our names. Raises `ModelError` for tensors of something else."""
    depths = tuple(
        sum(name.startswith(f"vision.stages.{stage}.blocks.") and name.endswith(".gamma") for name in tensors)
        for stage in range(_STAGES)
    )
    try:
        widths = tuple(tensors[f"vision.stages.{stage}.reduce.weight"].shape[0] for stage in range(_STAGES))
        hidden_width = _hidden_width(tensors)
    except KeyError as error:
        raise settings.unfit(f"a ConvNeXt whose weights lack {error}") from error
    except IndexError as error:
        raise settings.unfit("a ConvNeXt whose weights are no maps") from error
    shape = ConvNextConfig(
        image_size=settings.whole("image_size"),
        depths=depths,
        widths=widths,
        embed_dim=embed_dim,
        hidden_width=hidden_width,
        eps=1e-5
        if str(settings.get("timm_model_name")).startswith("convnext_xxlarge")
        else 1e-6,  # as timm builds them
    )
    settings.check(shape)
    return shape


def _hidden_width(tensors: dict[str, Tensor]) -> int:
    hidden = tensors.get("vision.hidden.weight")
    return 0 if hidden is None else hidden.shape[0]
