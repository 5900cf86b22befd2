"""What AnomalyDINO is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.anomalydino.recipe import AnomalyDINORecipe
from oddlens.methods.card import MethodCard, Needs

CARD = MethodCard(
    name="anomalydino",
    title="AnomalyDINO",
    paper="WACV 2025, arXiv 2405.14529",
    citation="Damm et al., AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2",
    citations=("damm2025anomalydino",),
    purpose="parts and surfaces, by the nearest good patch",
    backbone="a DINOv2, also a small one; any ViT runs",
    models=("dinov2-small",),
    home="oddlens.methods.anomalydino.method:AnomalyDINO",
    recipe=AnomalyDINORecipe,
    needs=Needs(text=False, references="required", set="optional", model=Capabilities(patches=True)),
    unseen_remedy="another mask_threshold (its own fits DINOv2-small), or mask='none'",
    defect_memory=True,
)
