"""`oddlens weights`: what a file of learned weights is, and sharing it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from oddlens.cli.command import Command, Group
from oddlens.cli.options import AsJson, MakesPublic, PlaceFrom, PlaceTo

app = typer.Typer(cls=Group, no_args_is_help=True)


class Tensor(TypedDict):
    """A tensor as JSON values."""

    shape: list[int]
    type: str


class WeightsDocument(TypedDict):
    """What a file of weights holds, as JSON values. method, provenance: None where the file does not say it."""

    file: str
    method: str | None
    numbers: int
    tensors: dict[str, Tensor]
    provenance: Mapping[str, object] | None


@app.callback()
def weights() -> None:
    """Show what a file of learned weights is, or share it."""


@app.command(cls=Command)
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Ours (.safetensors), or one of the authors' (.pth).")],
    as_json: AsJson = False,
) -> None:
    """Show whose weights a file holds, how they were made, and what is in it."""
    from oddlens.errors import printable

    document = _described(file)
    if as_json:
        print(json.dumps(document, indent=2))
        return
    for line in _lines(document):
        print(printable(line))


@app.command(cls=Command, no_args_is_help=True)
def push(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights that oddlens trained.", show_default=False)],
    to: PlaceTo,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A benchmark with these weights: its figures are on the card.",
            show_default="no figures",
        ),
    ] = None,
    public: MakesPublic = False,
) -> None:
    """Share learned weights, with a card of how they were made: in a folder, or on the hub."""
    from oddlens.sharing.weights import push_weights

    print(push_weights(file, to, figures=figures, private=not public))


@app.command(cls=Command, no_args_is_help=True)
def pull(
    place: PlaceFrom,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The .safetensors file to make.", show_default=False)
    ],
) -> None:
    """Fetch learned weights that somebody pushed, checked by their SHA-256, and print the file."""
    from oddlens.errors import printable
    from oddlens.sharing.weights import pull_weights

    pull_weights(place, to)
    print(printable(str(to)))


def _described(file: Path) -> WeightsDocument:
    from oddlens.methods.card import check_weights_file
    from oddlens.methods.registry import method_of_weights

    check_weights_file(file)
    from oddlens.methods.weights import read_weights

    learned = read_weights(file)
    provenance = learned.provenance
    return {
        "file": str(file),
        "method": method_of_weights(learned.tensors) if provenance is None else provenance["method"],
        "numbers": sum(tensor.numel() for tensor in learned.tensors.values()),
        "tensors": {
            name: {"shape": list(tensor.shape), "type": str(tensor.dtype).removeprefix("torch.")}
            for name, tensor in learned.tensors.items()
        },
        "provenance": provenance,
    }


def _lines(document: WeightsDocument) -> Iterator[str]:
    from oddlens.methods.weights import in_short

    method, provenance = document["method"], document["provenance"]
    size = f"{document['numbers']:,} numbers in {len(document['tensors'])} tensors"
    if provenance is not None:
        yield f"weights of {method}: {size}"
        for name, value in in_short(provenance).items():
            if name not in ("format", "method"):
                yield from _fact(name, value)
    else:
        looks = "of no method known here" if method is None else f"of {method}, by the names in it"
        yield f"weights {looks}: {size}; the file does not say how they were made"
    yield "tensors"
    for name, tensor in document["tensors"].items():
        yield f"  {name}  {' x '.join(map(str, tensor['shape'])) or 'one number'}  {tensor['type']}"


def _fact(name: str, value: object) -> Iterator[str]:
    """A fact as a line, several of one kind as lines below it."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            yield from _fact(name, each)
    elif isinstance(value, dict):
        yield name
        for key, inner in value.items():
            yield f"  {key:18}  {_short(inner)}"
    else:
        yield f"{name:20}  {_short(value)}"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(_short, value)) if isinstance(value, list) else str(value)
