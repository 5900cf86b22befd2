"""What APRIL-GAN is, without its code."""

from oddlens.backbone.options import Capabilities
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.card import MethodCard, Needs

CARD = MethodCard(
    name="april-gan",
    title="APRIL-GAN",
    paper="VAND workshop at CVPR 2023, arXiv 2305.17382",
    citation="Chen et al., APRIL-GAN: A Zero-/Few-Shot Anomaly Classification and Segmentation Method",
    citations=("chen2023zero",),
    purpose="parts and surfaces, with trained linear layers",
    backbone="a CLIP with a ViT",
    models=("openai-vit-l-14-336",),
    home="oddlens.methods.april_gan.method:AprilGAN",
    recipe=AprilGANRecipe,
    needs=Needs(text=True, references="optional", weights="required", model=Capabilities(patches=True, joint=True)),
    weights=(
        "trained linear layers: give as weights a file that 'oddlens train april-gan' wrote for this model, or for "
        "openai-vit-l-14-336 one of the authors' (github.com/ByChelsea/VAND-APRIL-GAN): exps/pretrained/mvtec_pretrained.pth, or "
        "visa_pretrained.pth to test MVTec AD"
    ),
    trainable="oddlens.training.april_gan:TrainableAprilGAN",
    weights_mark="fc.0.weight",
    defect_memory=True,
    unguaranteed="april-gan divides its score by the mean peak of the references, which makes them unlike new images",
)
