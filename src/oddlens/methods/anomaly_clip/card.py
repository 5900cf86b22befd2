"""What AnomalyCLIP is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.card import MethodCard, Needs

CARD = MethodCard(
    name="anomalyclip",
    title="AnomalyCLIP",
    paper="ICLR 2024, arXiv 2310.18961",
    citation="Zhou et al., AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection",
    citations=("zhou2024anomalyclip",),
    purpose="parts and surfaces, with learned prompts",
    backbone="a CLIP with a ViT",
    models=("openai-vit-l-14-336",),
    home="oddlens.methods.anomaly_clip.method:AnomalyCLIP",
    recipe=AnomalyCLIPRecipe,
    needs=Needs(
        text=True,
        references="no",
        weights="required",
        object_name=False,
        model=Capabilities(patches=True, local=True, joint=True, learned_prompts=True),
    ),
    weights=(
        "learned prompts: give as weights a file that 'oddlens train anomalyclip' wrote for this model, or for openai-vit-l-14-336 "
        "one of the authors' (github.com/zqhang/AnomalyCLIP): checkpoints/9_12_4_multiscale_visa/epoch_15.pth, or "
        "9_12_4_multiscale/epoch_15.pth to test MVTec AD"
    ),
    trainable="oddlens.training.anomaly_clip:TrainableAnomalyCLIP",
    weights_mark="ctx_pos",
)
