"""What SubspaceAD is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.card import MethodCard, Needs
from oddlens.methods.subspacead.recipe import SubspaceADRecipe

CARD = MethodCard(
    name="subspacead",
    title="SubspaceAD",
    paper="CVPR 2026, arXiv 2602.23013",
    citation="Lendering et al., SubspaceAD: Training-Free Few-Shot Anomaly Detection via Subspace Modeling",
    citations=("lendering2026subspacead",),
    purpose="parts and surfaces, from good examples and no words",
    backbone="a DINOv2, best the largest; any ViT runs",
    models=("dinov2-with-registers-giant",),
    home="oddlens.methods.subspacead.method:SubspaceAD",
    recipe=SubspaceADRecipe,
    needs=Needs(text=False, references="required", object_name=False, set="optional", model=Capabilities(patches=True)),
    unguaranteed="subspacead fits one subspace to all references, and one more of them can raise an image's score",
    falling_maps=False,
)
