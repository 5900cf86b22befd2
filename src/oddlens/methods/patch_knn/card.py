"""What patch-knn is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.card import MethodCard, Needs
from oddlens.methods.patch_knn.recipe import PatchKNNRecipe

CARD = MethodCard(
    name="patch-knn",
    title="patch-knn",
    paper="ours, after PatchCore, arXiv 2106.08265",
    citation="oddlens; after Roth et al., Towards Total Recall in Industrial Anomaly Detection",
    citations=("roth2022towards",),
    purpose="parts and surfaces, on light models, without words",
    backbone="the embedded model; any ViT runs",
    home="oddlens.methods.patch_knn.method:PatchKNN",
    recipe=PatchKNNRecipe,
    needs=Needs(text=False, references="required", object_name=False, model=Capabilities(patches=True)),
    defect_memory=True,
)
