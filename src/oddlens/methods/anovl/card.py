"""What AnoVL is, without its code."""

from types import MappingProxyType

from oddlens.backbone.options import Capabilities
from oddlens.methods.anovl.recipe import AnoVLRecipe
from oddlens.methods.card import CardOption, MethodCard, Needs

CARD = MethodCard(
    name="anovl",
    title="AnoVL",
    paper="arXiv 2308.15939",
    citation="Deng et al., AnoVL: Adapting Vision-Language Models for Unified Zero-shot Anomaly Localization",
    citations=("deng2023anovl",),
    purpose="parts and surfaces, adapting to each image",
    backbone="a CLIP with a ViT",
    models=("laion400m-vit-b-16-plus-240-e32",),
    home="oddlens.methods.anovl.method:AnoVL",
    recipe=AnoVLRecipe,
    needs=Needs(text=True, references="no", model=Capabilities(patches=True, local=True, joint=True)),
    object_names=MappingProxyType({"macaroni1": "macaroni", "macaroni2": "macaroni"}),
    options=(
        CardOption(flag="--adapt/--no-adapt", field="adapt", type=bool, help="Adapt to every image."),
        CardOption(
            flag="--views", field="views", type=int, metavar="N", help="How many views of an image give its score."
        ),
    ),
)
