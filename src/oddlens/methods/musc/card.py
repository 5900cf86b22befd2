"""What MuSc is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.card import MethodCard, Needs
from oddlens.methods.musc.recipe import MuScRecipe

CARD = MethodCard(
    name="musc",
    title="MuSc",
    paper="ICLR 2024, arXiv 2401.16753",
    citation="Li et al., MuSc: Zero-Shot Industrial Anomaly Classification and Segmentation with Mutual Scoring",
    citations=("li2024musc",),
    purpose="parts and surfaces, from unlabelled images",
    backbone="a CLIP with a ViT, or a DINOv2",
    models=("openai-vit-l-14-336", "dinov2-base", "dinov2-large"),
    home="oddlens.methods.musc.method:MuSc",
    recipe=MuScRecipe,
    needs=Needs(
        text=False,
        references="required",
        object_name=False,
        set="optional",
        model=Capabilities(patches=True),
        examples="a pool of unlabelled images",
    ),
    unguaranteed="musc's pool may hold defects, and its scores are means over a share of the pool, which can rise as it grows",
    falling_maps=False,
)
