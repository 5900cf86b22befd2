"""Method cards: all that is known of a method without importing its code or torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from oddlens.backbone.options import Capabilities
from oddlens.errors import UsageError, printable
from oddlens.io.paths import is_closed, is_file, why_absent
from oddlens.methods.recipe_fields import Recipe

Need = Literal["no", "optional", "required"]
Taken = Literal["references", "object_name", "defect_memory"]
TAKEN: tuple[Taken, ...] = get_args(Taken)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a method cannot do without, and what it can use.

    Attributes:
        text: Whether it compares images with prompts, so that the model must have a text tower.
        references: Good examples: it takes none, scores better with some, or scores nothing without.
        weights: Learned weights, likewise.
        object_name: Whether what it gives depends on what the object is called.
        set: Many images that it scores beside each other (`Method.score_set`): it does not, it can, or it does nothing else.
        model: What the model must be able to do beside a text tower.
        examples: What its references are, in words.
        least: How many of them it needs where it has any.
    """

    text: bool
    references: Need
    weights: Need = "no"
    object_name: bool = True
    set: Need = "no"
    model: Capabilities = field(default_factory=Capabilities)
    examples: str = "good examples"
    least: int = 1

    @property
    def capabilities(self) -> Capabilities:
        """All that the model must be able to do."""
        return self.model | Capabilities(text=self.text)


@dataclass(frozen=True, kw_only=True)
class CardOption:
    """A command-line option that `oddlens detect` gets from a method: a field of its recipe under a name of its own.

    Attributes:
        flag: As it is written: "--views", or "--adapt/--no-adapt" for a bool.
        field: The recipe field that it sets.
        type: bool, int, float or str.
        metavar: What stands for its value in the help; "" for a bool.
        help: One sentence; the default, in words, is `default`.
        repeatable: Whether it may be given several times; the field gets the list of all values.
    """

    flag: str
    field: str
    type: type[bool | int | float | str]
    help: str
    metavar: str = ""
    default: str = "the method's"
    repeatable: bool = False


@dataclass(frozen=True, kw_only=True)
class MethodCard:
    """One method: what it is, what it needs, where its code is.

    Attributes:
        name: As users write it.
        title: As its paper writes it.
        paper: Where it was published.
        citation: Authors and title of the paper.
        citations: What a paper that uses it cites: keys of `evaluation/citations.bib`, or of a file of the user's own.
        purpose: What it is for, in one line.
        backbone: What model it wants, in one line.
        models: The model cards (`backbone.cards`) that its paper used, by name.
        home: "module:Class" of the method, imported when one is made.
        recipe: The class of its settings.
        needs: See `Needs`.
        weights: What weights it needs and where they come from, to stand behind "april-gan needs "; "" where it needs none.
        trainable: "module:Class" of what the training loop trains (`training.trainable`); None where it trains nothing.
        weights_mark: A tensor that its authors' weights hold: by it a file is known that says nothing of itself.
        unguaranteed: Why thresholds from leave-one-out scores of its references promise nothing (`oddlens.calibration`), in half a
            sentence; "" where a score never rises when the memory grows, and nothing made of the references divides it.
        falling_maps: Whether no value of a map ever rises when the memory grows, whatever the score does.
        unseen_remedy: What to give where it looked at nothing of an image (`Scores.unseen`); "" where that cannot be.
        defect_memory: Whether a memory of defects may stand beside its memory bank (`MemoryBank.beside_defects`): it asks the bank
            for nothing but distances to the nearest rows.
        object_names: What its authors' program calls an object instead of the data set's own word for the category.
        options: What `oddlens detect` gets from it.
    """

    name: str
    title: str
    paper: str
    citation: str
    citations: tuple[str, ...]
    purpose: str
    backbone: str
    models: tuple[str, ...] = ()
    home: str
    recipe: type[Recipe]
    needs: Needs
    weights: str = ""
    trainable: str | None = None
    weights_mark: str | None = None
    unguaranteed: str = ""
    falling_maps: bool = True
    unseen_remedy: str = ""
    defect_memory: bool = False
    object_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    options: tuple[CardOption, ...] = ()

    @property
    def takes(self) -> tuple[Taken, ...]:
        """What people may give a station of it, as far as methods differ in that."""
        can = self.needs.references != "no", self.needs.object_name, self.defect_memory
        return tuple(what for what, is_taken in zip(TAKEN, can, strict=True) if is_taken)

    @property
    def needs_references(self) -> str:
        """What to do where it needs good examples and has none, in a sentence."""
        alone = "" if self.needs.set == "no" else ", or many images at once to Detector.detect_set"
        some = "some" if self.needs.least == 1 else f"{self.needs.least} or more"
        return f"{self.name} needs {self.needs.examples}: give {some} as references{alone}"

    def check_takes_weights(self) -> None:
        """Raise `UsageError` for a method that takes no learned weights."""
        if self.needs.weights == "no":
            raise UsageError(f"{self.name} takes no weights: leave them out, or give the method that they belong to")


def check_weights_file(path: Path) -> None:
    """Raise `UsageError` where there is no such file of learned weights. No torch is needed to say so."""
    if is_closed(path):
        raise UsageError(f"the weights file {printable(str(path))} {why_absent(path)}")
    if not is_file(path):
        raise UsageError(f"the weights file {path} does not exist: give an existing .safetensors or .pth file")


def imported(home: str) -> object:
    """What "module:name" names."""
    module, _, name = home.partition(":")
    found: object = getattr(import_module(module), name)
    return found
