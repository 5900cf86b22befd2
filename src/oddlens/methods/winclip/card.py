"""What WinCLIP is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.card import MethodCard, Needs
from oddlens.methods.winclip.recipe import WinCLIPRecipe

CARD = MethodCard(
    name="winclip",
    title="WinCLIP",
    paper="CVPR 2023, arXiv 2303.14814",
    citation="Jeong et al., WinCLIP: Zero-/Few-Shot Anomaly Classification and Segmentation",
    citations=("jeong2023winclip",),
    purpose="parts and surfaces, with nothing to train",
    backbone="a CLIP with a ViT",
    models=("laion400m-vit-b-16-plus-240-e31",),
    home="oddlens.methods.winclip.method:WinCLIP",
    recipe=WinCLIPRecipe,
    needs=Needs(text=True, references="optional", model=Capabilities(patches=True, joint=True, windows=True)),
    defect_memory=True,
)
