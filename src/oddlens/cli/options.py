"""The options that verbs share, each declared once, and what their values mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from oddlens.errors import UsageError, check_name, choices, printable
from oddlens.methods.registry import method_cards

if TYPE_CHECKING:
    from oddlens.data.named import NamedDataset
    from oddlens.data.object_names import ObjectNames
    from oddlens.detection import Marking

METHOD_NAMES = ", ".join(method_cards())
"""The methods there are, for help texts."""

MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help=f"{METHOD_NAMES}; or two that run as one, as winclip+patch-knn. 'oddlens methods' explains them.",
        show_default="winclip; with good examples the one that suits the model",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A model of 'oddlens models', a hub id or a path.",
        show_default="the one in oddlens",
    ),
]
DeviceName = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")]
RuntimeName = Annotated[
    str,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="onnx, openvino: graphs of the model in oddlens, and exported stations. torch: any model. auto: graphs if they can.",
    ),
]
WeightsFile = Annotated[
    str | None, typer.Option("--weights", metavar="FILE", help="The learned part of a method that is trained.")
]
DataFolders = Annotated[
    list[str],
    typer.Option("--data", metavar="DIR...", help="Data sets: folders or listings, one or more.", show_default=False),
]
WeightsOut = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The .safetensors file to write.", show_default=False)
]
WriteReport = Annotated[
    bool, typer.Option("--report/--no-report", help="Write the report; its curves need 'oddlens[train]'.")
]
OverwriteWeights = Annotated[
    bool, typer.Option("--overwrite", help="Replace OUT, and a checkpoint of a training with other settings.")
]
StationFolder = Annotated[Path, typer.Argument(metavar="STATION", help="The station's folder.", show_default=False)]
PlaceTo = Annotated[
    str,
    typer.Option(
        "--to", metavar="PLACE", help="A new folder, or hf://owner/name, a repository on the hub.", show_default=False
    ),
]
MakesPublic = Annotated[
    bool, typer.Option("--public", help="Let everybody see a repository that is made; else only you can.")
]
PlaceFrom = Annotated[
    str, typer.Argument(metavar="PLACE", help="A folder, or hf://owner/name[@revision].", show_default=False)
]
NewFolder = Annotated[
    Path, typer.Option("--to", metavar="DIR", help="The folder to make; a new one.", show_default=False)
]
ResultsPath = Annotated[
    Path, typer.Argument(metavar="RESULTS", help="The folder of a run (--out).", show_default=False)
]
ReferenceImages = Annotated[
    list[str] | None,
    typer.Option(
        "--reference", metavar="IMAGES", help="Good examples: a folder, a file or a pattern; may be repeated."
    ),
]
FalseAlarmRate = Annotated[
    float | None,
    typer.Option(
        "--false-alarm-rate",
        metavar="R",
        help="The share of good images that may be called NG: 0.05 for 5 %, which needs 19 good images, or 0.01, which needs 99.",
        show_default="1 / (n + 1) below 20 images, then 0.05, from 100 on 0.01",
    ),
]
REVIEW_RATE_HELP = "The share of good images that may go to review besides; 0: none."
ReviewRate = Annotated[
    float | None,
    typer.Option(
        "--review-rate",
        metavar="R",
        help=REVIEW_RATE_HELP,
        show_default="0.05",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print all of it as one JSON object.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object for each image.")]


def settings_option(recipe: str, more: str = "") -> typer.models.OptionInfo:
    """`--set`, which may be repeated. recipe: whose fields it sets. more: what else it sets."""
    listed = f"A field of {recipe} ('oddlens methods NAME' lists them){more}; may be repeated."
    option: typer.models.OptionInfo = typer.Option("--set", metavar="FIELD=VALUE", help=listed)
    return option


def threshold_option(default: str) -> typer.models.OptionInfo:
    """`--threshold`. default: in words, what is in force without it."""
    option: typer.models.OptionInfo = typer.Option(
        metavar="SCORE[,PIXEL]",
        help="An image is NG above SCORE. A region is marked where the anomaly map is above PIXEL.",
        show_default=default,
    )
    return option


@dataclass(frozen=True)
class NamingOptions:
    """What is on the images of data sets."""

    object_name: Annotated[
        str | None,
        typer.Option(
            "--object", metavar="NAME", help="What is on all images.", show_default="the category's name as it is"
        ),
    ] = None
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='Object names by category: JSON, {"metal_nut": "metal nut"}.'),
    ] = None

    def check(self) -> None:
        """Raise `UsageError` where both are given."""
        if self.object_name is not None and self.names is not None:
            raise UsageError("--object and --names contradict each other: give one of them")
        if self.object_name is not None:
            check_name("the object name", self.object_name)

    def for_datasets(self, datasets: Sequence[NamedDataset]) -> ObjectNames:
        """The object names of these data sets."""
        from oddlens.data.object_names import ObjectNames, read_names

        return ObjectNames(self.object_name) if self.names is None else read_names(self.names, datasets)


@dataclass(frozen=True)
class MarkingOptions:
    """Which regions are large enough, and how large a pixel is."""

    min_area: Annotated[
        str | None,
        typer.Option(
            metavar="AREA",
            help="Leave smaller regions unmarked: pixels of the image, as 20, or square millimetres, as 1.5mm2. No verdict depends "
            "on it: an image that is not OK keeps its hottest region.",
        ),
    ] = None
    mm_per_pixel: Annotated[
        float | None,
        typer.Option(metavar="MM", help="How many millimetres wide a pixel is: regions get their area in mm2."),
    ] = None

    @property
    def is_given(self) -> bool:
        """Whether one of them is."""
        return self.min_area is not None or self.mm_per_pixel is not None

    def marking(self, earlier: Marking | None = None) -> Marking:
        """What they say, beside what stood before. Raises `UsageError` where they cannot be used."""
        from dataclasses import replace

        from oddlens.detection import Marking

        earlier = Marking() if earlier is None else earlier
        mm_per_pixel = earlier.mm_per_pixel if self.mm_per_pixel is None else self.mm_per_pixel
        if self.min_area is None:
            return replace(earlier, mm_per_pixel=mm_per_pixel)
        return Marking.parse(self.min_area, mm_per_pixel)


@dataclass(frozen=True)
class PreparationOptions:
    """How images are brought to a model."""

    tiles: Annotated[
        str | None,
        typer.Option(
            metavar="CxR",
            help="Cut each image into so many overlapping columns and rows, as 2x2, for defects that are small in it; or auto. "
            "Each tile costs as much as an image.",
            show_default="the whole image",
        ),
    ] = None
    overlap: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="How much of a tile its neighbour shows too.", show_default="0.2"),
    ] = None
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="What becomes of an image that is not square: squash, pad, or crop to its centre.",
            show_default="squash",
        ),
    ] = None

    @property
    def given(self) -> dict[str, object]:
        """Those that are, as `oddlens.load` takes them: `--set` may name them too, but not both."""
        return {name: value for name, value in vars(self).items() if value is not None}


RoiFile = Annotated[
    str | None,
    typer.Option(
        "--roi",
        metavar="FILE",
        help="Where to look: a picture that is white where to look and black elsewhere, or JSON with polygons "
        '({"include": [[[x, y], ...]], "ignore": [...]}, from 0 to 1 across the image).',
        show_default="everywhere",
    ),
]


Choice = TypeVar("Choice", bound=str)


def one_of(option: str, value: str, known: Sequence[Choice]) -> Choice:
    """The value, if it is one of those that the option knows. Raises `UsageError` otherwise."""
    for each in known:
        if each == value:
            return each
    raise UsageError(f"{option} {value!r} is not known{choices(value, known)}")


def parse_kinds(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """What `--write` names: some of the kinds that are known, divided by commas, or nothing. Raises `UsageError` otherwise."""
    named = [kind.strip().casefold() for kind in text.split(",") if kind.strip()]
    if not named:
        raise UsageError(f"--write {text!r} names nothing: give some of {','.join(known)}, or the word nothing")
    chosen = tuple(one_of("--write", kind, (*known, "nothing")) for kind in named)
    if "nothing" in chosen and set(chosen) != {"nothing"}:
        raise UsageError(f"--write {text!r} contradicts itself: give nothing, or what is to be written")
    return tuple(kind for kind in known if kind in chosen)


def method_or_default(method: str | None, model: str | None, weights: str | None, *, with_references: bool) -> str:
    """The method that is named, else the default for the model. Where that is not the usual one, it is said.

    Raises as `oddlens.load` does for the model.
    """
    if method is not None:
        return method
    from oddlens.loading.embedded import card_of
    from oddlens.methods.defaults import ZERO_SHOT, default_method

    if weights is not None:  # they tell of a method that takes some
        return ZERO_SHOT
    card = card_of(model)
    chosen = default_method(card, with_references=with_references)
    if chosen != ZERO_SHOT:
        say(f"oddlens: with good examples on {card.name} the method is {chosen}; --method names another")
    return chosen


def say(*sentences: str) -> None:
    """Print each sentence as a line on stderr."""
    for sentence in sentences:
        print(printable(sentence), file=sys.stderr)
