"""One card a model: where its weights come from, what shape they have, under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from oddlens.backbone.normalisation import CLIP_MEAN, CLIP_STD, HALF, LITE_MEAN, LITE_STD, Rgb

if TYPE_CHECKING:
    from oddlens.backbone.options import Activation

LayoutName = Literal["embedded", "open_clip", "transformers", "openai"]

_CLIP = "Radford et al., ICML 2021, arXiv 2103.00020"
_OPEN_CLIP = "Cherti et al., CVPR 2023, arXiv 2212.07143; Ilharco et al., OpenCLIP, 2021"


@dataclass(frozen=True)
class Card:
    """What is known about a model before its weights are touched.

    hub_id: the Hugging Face repository ("" where there is none). image_size, patch_size in pixels; width, layers of the vision
    tower (of a ConvNeXt: a cell of its last map, its channels, all blocks); size_mb of the weights file. mean, std: of RGB in
    [0, 1], as the model was trained (a folder's own values win). sha256: known digests by file name, of the hub's file
    (`oddlens models fetch` warns where it has changed) or of the file that its makers published (by which it is recognised
    wherever it lies); empty where none is known to us. activation: what the weights of such a lone file mean, which it does not
    say itself. reference_taps: the features that serve references best, where the model's makers say so; few-shot methods use
    them unless their recipe names others.
    """

    name: str
    hub_id: str
    layout: LayoutName
    image_size: int
    patch_size: int
    width: int
    layers: int
    embed_dim: int
    size_mb: int
    licence: str
    paper: str
    mean: Rgb = CLIP_MEAN
    std: Rgb = CLIP_STD
    sha256: tuple[tuple[str, str], ...] = ()
    activation: Activation | None = None
    reference_taps: tuple[str, ...] = ()


MINI = Card(
    name="mini",
    hub_id="",
    layout="embedded",
    image_size=224,
    patch_size=16,
    width=192,
    layers=4,
    embed_dim=128,
    size_mb=4,
    licence="Apache-2.0",
    paper="ours: trained on generated defects on a frozen EfficientNet-Lite0 stem (docs/mini.md)",
    mean=LITE_MEAN,
    std=LITE_STD,
    reference_taps=("stem",),
)

CARDS = (
    MINI,
    Card(
        "openai-vit-b-32", "openai/clip-vit-base-patch32", "transformers", 224, 32, 768, 12, 512, 605, "MIT", _CLIP,
        sha256=(("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),),
        activation="quick_gelu",
    ),
    Card(
        "openai-vit-b-16", "openai/clip-vit-base-patch16", "transformers", 224, 16, 768, 12, 512, 599, "MIT", _CLIP,
        sha256=(("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),),
        activation="quick_gelu",
    ),
    Card(
        "openai-vit-l-14", "openai/clip-vit-large-patch14", "transformers", 224, 14, 1024, 24, 768, 1711, "MIT", _CLIP,
        sha256=(("ViT-L-14.pt", "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),),
        activation="quick_gelu",
    ),
    Card(
        "openai-vit-l-14-336", "openai/clip-vit-large-patch14-336", "transformers", 336, 14, 1024, 24, 768, 1712, "MIT", _CLIP,
        sha256=(("ViT-L-14-336px.pt", "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"),),
        activation="quick_gelu",
    ),
    Card(
        "laion400m-vit-b-16-plus-240-e31", "timm/vit_base_patch16_plus_clip_240.laion400m_e31", "open_clip",
        240, 16, 896, 12, 640, 833, "MIT", _OPEN_CLIP,
        sha256=(
            ("open_clip_pytorch_model.bin", "fa8eec9aff58e9215b9b44a977038179712694d3fc3a73eba62546bcff13deb3"),
            ("vit_b_16_plus_240-laion400m_e31-8fb26589.pt", "8fb26589b9a8bab2e7a683d280e48df89b8e742f3a82132707282620b36facba"),
        ),
        activation="gelu",
    ),
    Card(
        "laion400m-vit-b-16-plus-240-e32", "timm/vit_base_patch16_plus_clip_240.laion400m_e32", "open_clip",
        240, 16, 896, 12, 640, 833, "MIT", _OPEN_CLIP,
        sha256=(
            ("vit_b_16_plus_240-laion400m_e32-699c4b84.pt", "699c4b843885d82733517f36f0911d7e1b360bcc1314dda81d8c56c76fe9524d"),
        ),
        activation="gelu",
    ),
    Card("laion2b-vit-b-16", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "open_clip", 224, 16, 768, 12, 512, 599, "MIT", _OPEN_CLIP),
    Card(
        "laion2b-vit-l-14", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", "open_clip", 224, 14, 1024, 24, 768, 1711, "MIT", _OPEN_CLIP,
        mean=HALF, std=HALF,
    ),
    Card(
        "laion2b-vit-h-14", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "open_clip", 224, 14, 1280, 32, 1024, 3944, "MIT", _OPEN_CLIP,
    ),
    Card(
        "laion-convnext-base-w-320", "laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K-augreg", "open_clip",
        320, 32, 1024, 36, 640, 718, "MIT", _OPEN_CLIP,
    ),
    Card(
        "laion2b-convnext-large-d-320", "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup", "open_clip",
        320, 32, 1536, 36, 768, 1407, "MIT", _OPEN_CLIP,
    ),
)  # fmt: skip


def card_of_digest(digest: str) -> Card | None:
    """The card that knows a file of this SHA-256, or None."""
    return next((card for card in CARDS if digest in (known for _, known in card.sha256)), None)


def find_card(name: str) -> Card | None:
    """The card of that name or hub id, in any case of letters, or None."""
    bare = name.removeprefix("hf-hub:").casefold()
    return next((card for card in CARDS if bare and bare in {card.name.casefold(), card.hub_id.casefold()}), None)
