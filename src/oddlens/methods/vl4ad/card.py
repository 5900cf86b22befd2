"""What VL4AD is, without its code."""

from oddlens.methods.card import CardOption, MethodCard, Needs
from oddlens.methods.vl4ad.recipe import VL4ADRecipe

CARD = MethodCard(
    name="vl4ad",
    title="VL4AD",
    paper="arXiv 2409.17330",
    citation="Zhong et al., VL4AD: Vision-Language Models Improve Pixel-wise Anomaly Detection",
    citations=("zhong2024vl4ad",),
    purpose="road scenes: what no known word explains",
    backbone="a CLIP with a ViT; with learned masks any CLIP",
    home="oddlens.methods.vl4ad.method:VL4AD",
    recipe=VL4ADRecipe,
    needs=Needs(text=True, references="no", weights="optional", object_name=False),
    options=(
        CardOption(
            flag="--classes",
            field="classes",
            type=str,
            metavar="NAME",
            help="What is known: a list's name, or a .json or .toml file.",
        ),
        CardOption(
            flag="--ood",
            field="ood",
            type=str,
            metavar="WORDS",
            help="Words for the unknown, divided by commas; 'default' for ours, or a .json or .toml file.",
            default="none",
        ),
        CardOption(
            flag="--merge",
            field="merge",
            type=str,
            metavar="NAME",
            help="Which classes count as one: a merge's name, or a file.",
            default="none",
        ),
    ),
)
