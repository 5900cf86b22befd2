"""APRIL-GAN: patches of four depths, brought to the words by trained linear layers, and held against good examples as they are.

Chen et al., VAND workshop at CVPR 2023, arXiv 2305.17382. Where the paper is silent or its released code differs, the code is
followed: it is what the published weights and figures were made with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.options import Tap
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.errors import ModelError
from oddlens.methods.april_gan.card import CARD
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.base import Features, Method, Scores, Text
from oddlens.methods.common.maps import abnormal_probability, square_grid, upsample
from oddlens.methods.common.memory_bank import MemoryBank, each_left_out
from oddlens.methods.common.prompt_ensemble import prototypes
from oddlens.methods.common.templates import PromptEnsemble, load_states, load_templates
from oddlens.methods.weights import MethodWeights


class LinearLayers(nn.Module):
    """The learned part: a linear layer for each tapped block, from the tower's width into the joint space; new ones by the seed."""

    def __init__(self, backbone: Backbone, taps: Sequence[int], seed: int = 0) -> None:
        super().__init__()
        shape = backbone.vision.config
        self.taps = tuple(taps)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.fc = nn.ModuleList(nn.Linear(shape.width, shape.embed_dim) for _ in taps)
        self.to(backbone.device)

    def fill(self, weights: MethodWeights) -> None:
        """Take learned weights, ours or the authors'. Raises `ModelError` where they are not for these layers of this model."""
        given = {name.removeprefix("trainable_linearlayer."): value for name, value in weights.tensors.items()}
        own = self.state_dict()
        if {name: value.shape for name, value in given.items()} != {name: value.shape for name, value in own.items()}:
            blocks = ", ".join(map(str, self.taps))
            raise ModelError(
                f"{weights.source} holds {_described(given)}, but april-gan on this model needs {_described(own)}, for the blocks "
                f"{blocks}: give the model and the layers that the weights were made with"
            )
        self.load_state_dict(given)

    def maps(self, features: Mapping[str, Tensor], states: Tensor, temperature: float, size: int) -> Iterator[Tensor]:
        """The abnormal probability of every pixel, layer by layer: [batch, size, size] in [0, 1] (section 3.1).

        features: "tokens:<tap>" [batch, patches, width]. states: prototypes [2, embed_dim], or a pair for each image.
        """
        direction = (states[..., 1, :] - states[..., 0, :])[..., None] / temperature
        for tap, layer in zip(self.taps, self.fc, strict=True):
            words = F.normalize(layer(features[_name(tap)].float()), dim=-1)
            # The code upsamples logits and then takes the softmax of the two: the sigmoid of their difference.
            yield _upsample((words @ direction)[..., 0], size).sigmoid()


class AprilGAN(Method[AprilGANRecipe]):
    """APRIL-GAN on a backbone, with trained linear layers; few-shot as soon as `score` is given a memory.

    Features: "image" [batch, embed_dim], unit norm; "tokens:<tap>" [batch, patches, width], after that block as they are, without
    CLS. Map: a probability of each layer, summed, [0, layers]; with references besides a distance of each, [0, 3 * layers].

    The zero-shot score is the probability p that the whole image is abnormal; the linear layers do not touch it. The few-shot
    score adds the map's peak m, which is of another scale than p:

    - "references": (p + m / u) / 2, where u is the mean peak of the good examples, each held against the others: an image as odd
      as a good one adds 1/2, one twice as odd adds 1. One good example alone is held against the words only, so that u is less
      than another good image's m. u counts as at least a hundredth of the map's range, lest m drown p where u is next to nothing.
    - "transductive", the authors': of the whole test set, see `evaluation.set_scores`; `score` gives the other one all the same.
    """

    card = CARD

    def __init__(self, backbone: Backbone, recipe: AprilGANRecipe, weights: MethodWeights | None = None) -> None:
        super().__init__(backbone, recipe, weights)
        learned = self.learned(weights)
        self.layers = LinearLayers(backbone, recipe.layers).requires_grad_(False)
        self.layers.fill(learned)
        self._reference_taps: tuple[Tap, ...] = recipe.reference_taps or backbone.card.reference_taps or recipe.layers

    def encode_prompts(self, object_name: str) -> Text:
        """Prototypes of the object's normal and abnormal states."""
        return {"prototypes": state_prototypes(self.backbone, object_name)}

    @property
    def ensemble(self) -> PromptEnsemble:
        """See `state_prototypes`."""
        return state_ensemble()

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the tokens that are compared with words and good examples."""
        recipe = self.recipe
        taps = tuple(dict.fromkeys((*recipe.layers, *self._reference_taps)))
        return FeatureRequest(recipe.image_size, recipe.interpolation, recipe.position, taps)

    def encode(self, vision_pass: VisionPass) -> Features:
        """The image's embedding, and its tokens tap by tap."""
        dtype: torch.dtype = getattr(torch, self.recipe.memory_dtype)
        tokens = {name: value.to(dtype) for name, value in patch_tokens(vision_pass, self.request.taps).items()}
        return {"image": F.normalize(vision_pass.vision.embed_image(vision_pass.features.image), dim=-1)} | tokens

    def fit(self, references: Mapping[str, Tensor]) -> MemoryBank:
        """The tokens of the good examples."""
        return MemoryBank({name: references[name] for name in map(_name, self._reference_taps)})

    def fit_prompts(
        self, memory: MemoryBank, references: Mapping[str, Tensor], text: Mapping[str, Tensor]
    ) -> tuple[MemoryBank, Scores | None]:
        """The memory with "usual_peak", the mean peak of the good examples: see the class."""
        alone, probabilities, maps = memory.picture_count == 1, [], []
        for some, others in each_left_out(references, memory):
            probabilities.append(self._probability(some, text))
            maps.append(self._maps(some, text, None if alone else others))
        peaks = torch.cat([_peaks(each) for each in maps])
        fitted = memory.with_values({"usual_peak": self._usual_peak(peaks)})
        if alone:
            return fitted, None
        return fitted, Scores(
            _few_shot(torch.cat(probabilities), peaks, fitted), [one for each in maps for one in each]
        )

    def score(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores and maps, zero-shot or (with a memory) few-shot: sections 3.1 and 3.2."""
        return self.finish(self.held_out(features, text, memory), memory)

    def held_out(
        self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None
    ) -> Features:
        """What the words say of the image ("probability"), and its map ("map")."""
        return {"probability": self._probability(features, text), "map": self._maps(features, text, memory)}

    def values_of(self, held_out: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean peak as "usual_peak"."""
        return {"usual_peak": self._usual_peak(_peaks(held_out["map"]))}

    def finish(self, held_out: Mapping[str, Tensor], memory: MemoryBank | None) -> Scores:
        """Scores of the probability and the map's peak."""
        probability, maps = held_out["probability"], held_out["map"]
        peaks = _peaks(maps)
        scores = probability if memory is None else _few_shot(probability, peaks, memory)
        return Scores(scores, maps, {"text": probability, "peak": peaks})

    def _usual_peak(self, peaks: Tensor) -> Tensor:
        return peaks.mean().clamp(min=self.value_range(True)[1] / 100)

    def value_range(self, with_references: bool) -> tuple[float, float]:
        """A probability of each layer; with references besides a distance in [0, 2] of each."""
        return 0.0, float((3 if with_references else 1) * len(self.recipe.layers))

    def _probability(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> Tensor:
        """That the whole image is abnormal, float64 [batch]."""
        return abnormal_probability(features["image"], text["prototypes"], self.recipe.temperature).double()

    def _maps(self, features: Mapping[str, Tensor], text: Mapping[str, Tensor], memory: MemoryBank | None) -> Tensor:
        """[batch, image_size, image_size]: of the words, and of the memory where there is one."""
        recipe, images = self.recipe, features["image"]
        maps = torch.zeros(images.shape[0], recipe.image_size, recipe.image_size, device=images.device)
        for layer in self.layers.maps(features, text["prototypes"], recipe.temperature, recipe.image_size):
            maps += layer
        if memory is not None:
            maps += self._distances(features, memory)
        return maps

    def _distances(self, features: Mapping[str, Tensor], memory: MemoryBank) -> Tensor:
        """The references' map: [batch, size, size]. It weighs as many layers as the words' map, of however many taps it is made."""
        distances = [memory.distance(name, features[name]) for name in map(_name, self._reference_taps)]
        mean = torch.stack(distances).mean(dim=0)
        return len(self.recipe.layers) * _upsample(mean, self.recipe.image_size)


def state_prototypes(backbone: Backbone, object_name: str) -> Tensor:
    """Prototypes of an object's normal and abnormal states, of 245 and 175 sentences: [2, embed_dim], unit norm (section 3.1)."""
    return prototypes(backbone.encode_text, object_name, state_ensemble())


def state_ensemble() -> PromptEnsemble:
    """The sentences of `state_prototypes`."""
    return PromptEnsemble(load_states("april_gan"), load_templates("april_gan"), unit_sentences=True)


def patch_tokens(vision_pass: VisionPass, taps: Sequence[Tap]) -> Features:
    """The tokens of patches, tap by tap: "tokens:<tap>" [batch, patches, width]."""
    return {_name(tap): vision_pass.features.patches(tap) for tap in taps}


def _name(tap: Tap) -> str:
    return f"tokens:{tap}"


def _upsample(patches: Tensor, size: int) -> Tensor:
    """[batch, patches] -> [batch, size, size]; the corners of both grids are aligned, as in the code."""
    return upsample(patches.view(-1, *square_grid(patches.shape[1])), (size, size), align_corners=True)


def _few_shot(probability: Tensor, peaks: Tensor, memory: MemoryBank) -> Tensor:
    """The scores beside the good examples, see `AprilGAN`."""
    return (probability + peaks / memory.values["usual_peak"]) / 2


def _peaks(maps: Tensor) -> Tensor:
    """The highest value of each map, float64 [batch]."""
    return maps.flatten(1).amax(dim=1).double()


def _described(tensors: Mapping[str, Tensor]) -> str:
    """Linear layers in words."""
    shapes = {tuple(value.shape) for name, value in tensors.items() if name.startswith("fc.") and value.ndim == 2}
    if len(shapes) != 1:
        return "no linear layers of one kind"
    ((out, width),) = shapes
    return f"{len(tensors) // 2} linear layers from width {width} to {out}"
