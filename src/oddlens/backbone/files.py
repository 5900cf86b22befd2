"""The files of a model on disk: their names in each layout. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from oddlens.errors import ModelError, first_line, printable
from oddlens.io.paths import is_file, open_file, read_bytes
from oddlens.io.strict_json import parse_json

INDEX = ".index.json"
"""The ending of the name of a file that says which tensors lie in which of several weights files (shards)."""


class LayoutFiles(NamedTuple):
    """The names of a layout's files.

    Attributes:
        config: Of the configuration.
        weights: That the weights may have, in order of preference.
    """

    config: str
    weights: tuple[str, ...]

    def are_in(self, folder: Path) -> bool:
        """Whether a folder holds the configuration and weights of this layout."""
        return is_file(folder / self.config) and self.weights_in(folder) is not None

    def is_complete(self, folder: Path) -> bool:
        """As `are_in`, with all shards."""
        weights = self.weights_in(folder)
        try:
            return weights is not None and self.are_in(folder) and all(map(is_file, weight_files(weights)))
        except ModelError:
            return False

    def weights_in(self, folder: Path) -> Path | None:
        """The weights of this layout in a folder: a file, or the index of shards."""
        return next((folder / name for name in self.weights if is_file(folder / name)), None)


EMBEDDED = LayoutFiles("oddlens_model.json", ("model.safetensors",))
OPEN_CLIP = LayoutFiles(
    "open_clip_config.json",
    ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
)
TRANSFORMERS = LayoutFiles(
    "config.json",
    ("model.safetensors", f"model.safetensors{INDEX}", "pytorch_model.bin", f"pytorch_model.bin{INDEX}"),
)
LAYOUT_FILES = (EMBEDDED, OPEN_CLIP, TRANSFORMERS)
PREPROCESSOR = "preprocessor_config.json"
TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt")

MINI_FOLDER = Path(__file__).parents[1] / "assets" / "mini"
"""The embedded model, in the package."""

_LFS_POINTER = b"version https://git-lfs"


def what_is_missing(folder: Path) -> str:
    """What a folder lacks to hold a model, as the beginning of a sentence; "" where it lacks nothing or has nothing of it."""
    if any(layout.is_complete(folder) for layout in LAYOUT_FILES):
        return ""
    for layout in (OPEN_CLIP, TRANSFORMERS):
        weights, has_config = layout.weights_in(folder), is_file(folder / layout.config)
        if weights is not None and not has_config:
            by = " (open_clip leaves it so in the hub cache)" if layout is OPEN_CLIP else ""
            return f"{printable(str(folder))} holds {weights.name} but not the configuration {layout.config}{by}"
        if weights is not None:
            return f"{printable(str(folder))} holds only a part of the weights that {weights.name} lists"
        if has_config:
            return f"{printable(str(folder))} holds {layout.config} but no weights"
    return ""


def refuse_lfs_pointer(path: Path) -> None:
    """Raise `ModelError` where a file is what Git LFS leaves in a clone in place of the content."""
    with open_file(path) as file:
        start = file.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise ModelError(f"{path} is a Git LFS pointer, not the file: fetch it with `git lfs pull`")


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from disk. Raises `ModelError` where it is missing, damaged, or something else."""
    try:
        refuse_lfs_pointer(path)
        value = parse_json(read_bytes(path))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not a readable JSON file ({first_line(error)}): fetch the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds no JSON object: fetch the model again")
    return value


def weight_files(path: Path) -> tuple[Path, ...]:
    """The file itself, and the shards beside it where it is an index of them. Raises `ModelError` for a damaged index."""
    if not path.name.endswith(INDEX):
        return (path,)
    weight_map = read_json(path).get("weight_map")
    shards = list(weight_map.values()) if isinstance(weight_map, dict) else []
    suffix = Path(path.name.removesuffix(INDEX)).suffix
    if not shards or not all(
        isinstance(name, str) and name.endswith(suffix) and Path(name).name == name for name in shards
    ):
        raise ModelError(f"{path} has no weight_map of {suffix} files beside it: fetch the model again")
    return (path, *(path.parent / name for name in sorted(set(shards))))
