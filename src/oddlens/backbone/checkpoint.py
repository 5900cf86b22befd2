"""Weights from disk to tensors, safely, and into a module, strictly.

safetensors and PyTorch's weights-only reader are the only ways in; OpenAI's TorchScript archives go through `torchscript.py`,
which reads their tensors and executes nothing.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from oddlens.errors import ModelError
from oddlens.paths import is_file
from oddlens.tensors import aligned, tensor_faults


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, a sharded `.safetensors.index.json`, or a .bin / .pth / .pt state dict.

    Nothing in a file is ever executed. Raises `ModelError` naming the file.
    """
    if path.name.endswith(".index.json"):
        _, *shards = weight_files(path)
        return {name: tensor for shard in shards for name, tensor in read_tensors(shard).items()}
    state = read_state(path)
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path} is not a state dict of tensors: name the file that holds the model's weights")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def read_state(path: Path) -> Any:
    """What a .safetensors or a .bin / .pth / .pt file holds, as it is. Raises `ModelError` naming the file."""
    if not is_file(path):
        raise ModelError(f"{path} does not exist: fetch the model again, or name another")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may fail in any way
        if "GLOBAL" in str(error):  # PyTorch's word for a class or a function that the file asks for
            raise ModelError(
                f"{path} holds more than plain tensors and is not opened: convert it to safetensors"
            ) from error
        reason = "no PyTorch file" if isinstance(error, pickle.UnpicklingError) else _first_line(error)
        raise ModelError(f"{path} is damaged or not a weights file ({reason}): fetch the model again") from error


def weight_files(path: Path) -> tuple[Path, ...]:
    """The file itself, and its shards where it is a `.safetensors.index.json`."""
    if not path.name.endswith(".index.json"):
        return (path,)
    weight_map = read_json(path).get("weight_map")
    shards = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not shards or not all(isinstance(name, str) and name.endswith(".safetensors") for name in shards):
        raise ModelError(f"{path} has no weight_map of .safetensors files: fetch the model again")
    return (path, *(path.parent / name for name in sorted(set(shards))))


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from disk; `ModelError` where it is missing or not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not a readable JSON file ({_first_line(error)}): fetch the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds no JSON object: fetch the model again")
    return value


def fill(module: nn.Module, tensors: Mapping[str, Tensor], source: str, ignored: Iterable[str] = ()) -> None:
    """Put tensors into a module (float32, aligned), strictly.

    Missing, unexpected or unusable ones are one `ModelError` that names them.

    ignored: names that a layout is known to carry and that no tower needs.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: value for name, value in tensors.items() if name not in set(ignored)}
    if faults := tensor_faults(given, wanted):
        raise ModelError(f"the weights in {source} do not fit their model: {faults}")
    module.load_state_dict({name: aligned(given[name].float()) for name in wanted}, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_(False)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
