"""Mean and standard deviation of RGB in [0, 1] that models were trained with."""

Rgb = tuple[float, float, float]

CLIP_MEAN: Rgb = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Rgb = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN: Rgb = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb = (0.229, 0.224, 0.225)
HALF: Rgb = (0.5, 0.5, 0.5)
LITE_MEAN: Rgb = (127 / 255, 127 / 255, 127 / 255)
LITE_STD: Rgb = (128 / 255, 128 / 255, 128 / 255)
"""EfficientNet-Lite: (pixel - 127) / 128."""

LARGEST, SMALLEST_STD = 1e3, 1e-6
"""Far beyond every model there is. Beyond them normalised pixels are no numbers of float32."""
