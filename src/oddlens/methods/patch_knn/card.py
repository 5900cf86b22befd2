"""What patch-knn is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.card import MethodCard, Needs
from oddlens.methods.patch_knn.recipe import PatchKNNRecipe

CARD = MethodCard(
    name="patch-knn",
    title="patch-knn",
    paper="ours (docs/patch-knn.md), after PatchCore, CVPR 2022, arXiv 2106.08265",
    citation="oddlens; after Roth et al., Towards Total Recall in Industrial Anomaly Detection",
    purpose="parts and surfaces from a few good images, without words, on light models",
    backbone="the embedded model, or any with patch tokens",
    home="oddlens.methods.patch_knn.method:PatchKNN",
    recipe=PatchKNNRecipe,
    needs=Needs(text=False, references="required", model=Capabilities(patches=True)),
)
