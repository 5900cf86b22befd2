"""One card a model: where its weights come from, what shape they have, and under which licence. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from oddlens.backbone.normalisation import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITE_MEAN,
    LITE_STD,
    Rgb,
)
from oddlens.backbone.options import Activation, Interpolation, Kind
from oddlens.errors import UsageError, nearest, shortened

_CLIP = "Radford et al., ICML 2021, arXiv 2103.00020"
_OPEN_CLIP = "Cherti et al., CVPR 2023, arXiv 2212.07143; Ilharco et al., OpenCLIP, 2021"
_DINOV2 = "Oquab et al., TMLR 2024, arXiv 2304.07193"
_REGISTERS = "Darcet et al., ICLR 2024, arXiv 2309.16588"
_SIGLIP = "Zhai et al., ICCV 2023, arXiv 2303.15343"
_SIGLIP2 = "Tschannen et al., 2025, arXiv 2502.14786"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known about a model before its weights are touched.

    Attributes:
        name: As users write it.
        layout: How its files lie on disk, by name (`oddlens.backbone.layouts`).
        hub_id: The Hugging Face repository; "" where there is none.
        kind: Of its vision tower.
        image_size: Pixels a side that it was trained at.
        patch_size: Pixels a side of a patch; of a ConvNeXt, of a cell of its last map.
        width: Channels of a token; of a ConvNeXt, of its last map.
        layers: Blocks of the vision tower.
        embed_dim: Of the joint space with text; 0 where there is none.
        registers: Tokens beside class token and patches.
        size_mb: Of the weights file.
        licence: Its SPDX identifier.
        paper: Where it was published.
        citations: What a paper that uses it cites: keys of `evaluation/citations.bib`.
        mean: Of RGB in [0, 1], as the model was trained. A folder's own values win.
        std: Likewise.
        interpolation: How its makers resize images.
        sha256: Known digests by file name: of the hub's file (`oddlens models fetch` warns where it has changed), or of the file
            that its makers published (the digest identifies it under any name). Empty where none is known.
        activation: What the weights of such a published file mean, which the file does not say.
        reference_taps: The features that serve references best, where the model's makers say so. Few-shot methods use them unless
            their recipe names others.
        stages: Features at several depths, the finest first, by which images are best compared with references depth by
            depth, where the model's makers say so.
    """

    name: str
    layout: str
    hub_id: str = ""
    kind: Kind = "CLIP"
    image_size: int = 0
    patch_size: int = 0
    width: int = 0
    layers: int = 0
    embed_dim: int = 0
    registers: int = 0
    size_mb: int = 0
    licence: str = "unknown"
    paper: str = "unknown"
    citations: tuple[str, ...] = ()
    mean: Rgb = CLIP_MEAN
    std: Rgb = CLIP_STD
    interpolation: Interpolation = "bicubic"
    sha256: tuple[tuple[str, str], ...] = ()
    activation: Activation | None = None
    reference_taps: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()

    @property
    def has_text(self) -> bool:
        """Whether the model has a text tower, in one space with its images."""
        return self.embed_dim > 0


MINI = Card(
    name="mini",
    layout="embedded",
    image_size=224,
    patch_size=16,
    width=192,
    layers=4,
    embed_dim=128,
    size_mb=4,
    licence="Apache-2.0",
    paper="ours: trained on generated defects on a frozen EfficientNet-Lite0 stem (docs/reference/mini.md)",
    citations=("tan2019efficientnet",),
    mean=LITE_MEAN,
    std=LITE_STD,
    reference_taps=("stem",),
    stages=("s3", "s5", "s6"),
)

# What the cards of a family share.
_openai = partial(
    Card, layout="transformers", licence="MIT", paper=_CLIP, citations=("radford2021learning",), activation="quick_gelu"
)
_open_clip = partial(
    Card,
    layout="open_clip",
    licence="MIT",
    paper=_OPEN_CLIP,
    citations=("cherti2023reproducible", "ilharco2021openclip"),
)
_plus_240 = partial(
    _open_clip, image_size=240, patch_size=16, width=896, layers=12, embed_dim=640, size_mb=833, activation="gelu"
)
_convnext = partial(_open_clip, kind="ConvNeXt CLIP", image_size=320, patch_size=32, layers=36)
_siglip = partial(Card, layout="siglip", kind="SigLIP", licence="Apache-2.0", mean=HALF, std=HALF)
_dinov2 = partial(
    Card,
    layout="dinov2",
    kind="DINOv2",
    image_size=518,
    patch_size=14,
    licence="Apache-2.0",
    paper=_DINOV2,
    citations=("oquab2024dinov2",),
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
)
_registers = partial(
    _dinov2,
    registers=4,
    paper=f"{_DINOV2}; {_REGISTERS}",
    citations=("oquab2024dinov2", "darcet2024vision"),
)

CARDS = (
    MINI,
    _openai(
        name="openai-vit-b-32",
        hub_id="openai/clip-vit-base-patch32",
        image_size=224,
        patch_size=32,
        width=768,
        layers=12,
        embed_dim=512,
        size_mb=605,
        sha256=(("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),),
    ),
    _openai(
        name="openai-vit-b-16",
        hub_id="openai/clip-vit-base-patch16",
        image_size=224,
        patch_size=16,
        width=768,
        layers=12,
        embed_dim=512,
        size_mb=599,
        sha256=(("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),),
    ),
    _openai(
        name="openai-vit-l-14",
        hub_id="openai/clip-vit-large-patch14",
        image_size=224,
        patch_size=14,
        width=1024,
        layers=24,
        embed_dim=768,
        size_mb=1711,
        sha256=(("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),),
    ),
    _openai(
        name="openai-vit-l-14-336",
        hub_id="openai/clip-vit-large-patch14-336",
        image_size=336,
        patch_size=14,
        width=1024,
        layers=24,
        embed_dim=768,
        size_mb=1712,
        sha256=(("ViT-L-14-336px.pt", "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"),),
    ),
    _plus_240(
        name="laion400m-vit-b-16-plus-240-e31",
        hub_id="timm/vit_base_patch16_plus_clip_240.laion400m_e31",
        sha256=(
            ("open_clip_pytorch_model.bin", "fa8eec9aff58e9215b9b44a977038179712694d3fc3a73eba62546bcff13deb3"),
            (
                "vit_b_16_plus_240-laion400m_e31-8fb26589.pt",
                "8fb26589b9a8bab2e7a683d280e48df89b8e742f3a82132707282620b36facba",
            ),
        ),
    ),
    _plus_240(
        name="laion400m-vit-b-16-plus-240-e32",
        hub_id="timm/vit_base_patch16_plus_clip_240.laion400m_e32",
        sha256=(
            (
                "vit_b_16_plus_240-laion400m_e32-699c4b84.pt",
                "699c4b843885d82733517f36f0911d7e1b360bcc1314dda81d8c56c76fe9524d",
            ),
        ),
    ),
    _open_clip(
        name="laion2b-vit-b-16",
        hub_id="laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        image_size=224,
        patch_size=16,
        width=768,
        layers=12,
        embed_dim=512,
        size_mb=599,
    ),
    _open_clip(
        name="laion2b-vit-l-14",
        hub_id="laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
        image_size=224,
        patch_size=14,
        width=1024,
        layers=24,
        embed_dim=768,
        size_mb=1711,
        mean=HALF,
        std=HALF,
    ),
    _open_clip(
        name="laion2b-vit-h-14",
        hub_id="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        image_size=224,
        patch_size=14,
        width=1280,
        layers=32,
        embed_dim=1024,
        size_mb=3944,
    ),
    _convnext(
        name="laion-convnext-base-w-320",
        hub_id="laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K-augreg",
        width=1024,
        embed_dim=640,
        size_mb=718,
    ),
    _convnext(
        name="laion2b-convnext-large-d-320",
        hub_id="laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup",
        width=1536,
        embed_dim=768,
        size_mb=1407,
    ),
    _siglip(
        name="siglip-base-patch16-224",
        hub_id="google/siglip-base-patch16-224",
        image_size=224,
        patch_size=16,
        width=768,
        layers=12,
        embed_dim=768,
        size_mb=813,
        paper=_SIGLIP,
        citations=("zhai2023sigmoid",),
    ),
    _siglip(
        name="siglip-so400m-patch14-384",
        hub_id="google/siglip-so400m-patch14-384",
        image_size=384,
        patch_size=14,
        width=1152,
        layers=27,
        embed_dim=1152,
        size_mb=3512,
        paper=_SIGLIP,
        citations=("zhai2023sigmoid",),
    ),
    _siglip(
        name="siglip2-base-patch16-224",
        hub_id="google/siglip2-base-patch16-224",
        image_size=224,
        patch_size=16,
        width=768,
        layers=12,
        embed_dim=768,
        size_mb=1501,
        paper=_SIGLIP2,
        citations=("tschannen2025siglip",),
        interpolation="bilinear",
    ),
    _dinov2(
        name="dinov2-small",
        hub_id="facebook/dinov2-small",
        width=384,
        layers=12,
        size_mb=88,
        sha256=(("model.safetensors", "ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1"),),
    ),
    _dinov2(
        name="dinov2-base",
        hub_id="facebook/dinov2-base",
        width=768,
        layers=12,
        size_mb=346,
        sha256=(("model.safetensors", "d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841"),),
    ),
    _dinov2(
        name="dinov2-large",
        hub_id="facebook/dinov2-large",
        width=1024,
        layers=24,
        size_mb=1217,
        sha256=(("model.safetensors", "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23"),),
    ),
    _dinov2(
        name="dinov2-giant",
        hub_id="facebook/dinov2-giant",
        width=1536,
        layers=40,
        size_mb=4546,
        sha256=(("model.safetensors", "917d3c470db999d32a312f8542149be91c7cbac61ee8fb4b67ae3d82b79ce21f"),),
    ),
    _registers(
        name="dinov2-with-registers-small",
        hub_id="facebook/dinov2-with-registers-small",
        width=384,
        layers=12,
        size_mb=88,
    ),
    _registers(
        name="dinov2-with-registers-base",
        hub_id="facebook/dinov2-with-registers-base",
        width=768,
        layers=12,
        size_mb=346,
    ),
    _registers(
        name="dinov2-with-registers-large",
        hub_id="facebook/dinov2-with-registers-large",
        width=1024,
        layers=24,
        size_mb=1217,
    ),
    _registers(
        name="dinov2-with-registers-giant",
        hub_id="facebook/dinov2-with-registers-giant",
        width=1536,
        layers=40,
        size_mb=4546,
    ),
)


def card_of_digest(digest: str) -> Card | None:
    """The card that knows a file of this SHA-256, or None."""
    return next((card for card in CARDS if digest in (known for _, known in card.sha256)), None)


def find_card(name: str) -> Card | None:
    """The card of that name or hub id, in any case of letters, or None."""
    bare = name.removeprefix("hf-hub:").casefold()
    return next((card for card in CARDS if bare and bare in {card.name.casefold(), card.hub_id.casefold()}), None)


def unknown_model(name: str, others: str) -> UsageError:
    """The error for a name that no model has; it suggests the nearest one. others: what else may be given, in words."""
    near = nearest(name, [card.name for card in CARDS])
    lead = f"{near} Give" if near else ": give"
    return UsageError(f"there is no model {shortened(name)}{lead} a name that 'oddlens models' lists, {others}")
