"""Learned weights for others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from oddlens.errors import ModelError, UsageError, printable
from oddlens.io.atomic import replacing
from oddlens.io.hashes import file_hash
from oddlens.methods.weights import MethodWeights, in_short, read_weights
from oddlens.sharing.bundle import CARD, write_bundle
from oddlens.sharing.card import bullets, card, facts, table
from oddlens.sharing.figures import Measured, measured
from oddlens.sharing.place import parse_place
from oddlens.sharing.transport import pulled, push

FILE = "weights.safetensors"


def push_weights(
    file: str | os.PathLike[str],
    place: str,
    *,
    figures: str | os.PathLike[str] | None = None,
    private: bool = True,
) -> str:
    """Push the learned part of a method.

    Args:
        file: A file that oddlens trained.
        place: A new folder, or hf://owner/name.
        figures: The folder of a benchmark with these weights, whose figures the card shows with all notes on them; None: it shows
            none.
        private: Whether a repository that is made can be seen by nobody else.

    Returns:
        Where it is now.

    Raises:
        UsageError: There is no such file, it is one of the authors', the benchmark was one of others, or the place cannot be used.
        ModelError: The file is damaged, or the hub does not take it.
    """
    source = Path(file)
    to = parse_place(place, exists=False)
    learned = read_weights(source)
    provenance = learned.provenance
    if provenance is None:
        raise UsageError(
            f"{printable(str(file))} is the authors' own and does not say how it was made: name it where they publish it, and push "
            "what oddlens trained"
        )

    found = None if figures is None else measured(Path(figures), file_hash(source))

    def fill(made: Path, before: str | None) -> None:
        shutil.copyfile(source, made / FILE)
        write_bundle(made, "weights", provenance)
        title = f"{provenance['method']} on {provenance['model']}: weights for oddlens"
        (made / CARD).write_text(
            card(title, provenance["method"], _body(learned, provenance, found), before), encoding="utf-8"
        )

    return push(to, fill, f"Weights of {provenance['method']} on {provenance['model']}", private=private)


def pull_weights(place: str, file: str | os.PathLike[str]) -> MethodWeights:
    """Pull learned weights into a new file. They are checked by their SHA-256, and read, before the file is there.

    Args:
        place: A folder, or hf://owner/name[@revision].
        file: The .safetensors file to make.

    Returns:
        What the file holds.

    Raises:
        UsageError: The file is there already, or the place holds something else.
        ModelError: The weights are damaged, or the hub cannot be reached.
    """
    target = Path(file)
    if target.suffix != ".safetensors":
        raise UsageError(f"{printable(str(file))} is no name for weights: end it in .safetensors")
    with pulled(parse_place(place, exists=True), "weights", target) as (parts, document):
        if list(document["files"]) != [FILE]:
            raise ModelError(f"{printable(place)} holds other files than {FILE}: push the weights again")
        try:
            learned = read_weights(parts / FILE)
        except ModelError as error:  # of a file that is only here on its way
            said = str(error).replace(printable(str(parts / FILE)), f"{FILE} of {printable(place)}")
            raise ModelError(said) from error
        with replacing(target) as temporary:
            shutil.copyfile(parts / FILE, temporary)
    return learned


def _body(learned: MethodWeights, provenance: Mapping[str, object], figures: Measured | None) -> str:
    """What oddlens says of weights."""
    method, model = provenance["method"], provenance["model"]
    count = sum(tensor.numel() for tensor in learned.tensors.values())
    made = {name: value for name, value in in_short(provenance).items() if name != "format"}
    shown = (
        ""
        if figures is None
        else f"\n## Figures\n\nOf a benchmark with oddlens. {figures.how}\n\n{table(figures.rows)}\n"
    )
    if figures is not None and figures.remarks:
        shown += f"\n{bullets(figures.remarks)}\n"
    return f"""The learned part of the method {method} on the model {model}: {count:,} numbers in {len(learned.tensors)} tensors.
Use it with oddlens:

```console
oddlens weights pull hf://OWNER/NAME --to {method}.safetensors
oddlens detect parts/ --method {method} --model {model} --weights {method}.safetensors
```
{shown}
## How it was made

{facts(made)}
"""
