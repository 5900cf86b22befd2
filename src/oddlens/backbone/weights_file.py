"""Weights from disk to tensors, safely, and into a module, strictly.

Files are read as safetensors or by PyTorch's weights-only reader. OpenAI's TorchScript archives are read by `torchscript.py`, which
executes nothing.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from oddlens.backbone.files import INDEX, refuse_lfs_pointer, weight_files
from oddlens.backbone.pickles import check_torch_file
from oddlens.backbone.tensors import aligned, storage_fault, tensor_faults
from oddlens.errors import ModelError, first_line
from oddlens.io.paths import is_file


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, a .bin, .pth or .pt state dict, or of all shards of an `.index.json`.

    Nothing in a file is ever executed.

    Raises:
        ModelError: The file is absent, damaged or holds something else; the sentence names it.
    """
    if path.name.endswith(INDEX):
        _, *shards = weight_files(path)
        return {name: tensor for shard in shards for name, tensor in read_tensors(shard).items()}
    state = read_state(path)
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"{path} is not a state dict of tensors: name the file that holds the model's weights")
    tensors = {str(name): value for name, value in state.items()}
    if fault := storage_fault(tensors, path.stat().st_size):
        raise ModelError(f"{path} is no usable weights file ({fault}): fetch the model again")
    return tensors


def read_state(path: Path) -> object:
    """What a .safetensors, .bin, .pth or .pt file holds, unchanged. Raises `ModelError` naming the file."""
    if not is_file(path):
        raise ModelError(f"{path} does not exist: fetch the model again, or name another")
    try:
        refuse_lfs_pointer(path)
        if path.suffix == ".safetensors":
            return load_file(path)
        check_torch_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # a damaged file may fail in any way
        if "GLOBAL" in str(error):  # PyTorch's word for a class or a function that the file asks for
            raise ModelError(
                f"{path} holds more than plain tensors and is not opened: convert it to safetensors"
            ) from error
        reason = "no PyTorch file" if isinstance(error, pickle.UnpicklingError) else first_line(error)
        raise ModelError(
            f"{path} is damaged or not a weights file ({reason}): fetch it again, or give another file"
        ) from error


def fill(module: nn.Module, tensors: Mapping[str, Tensor], source: str, ignored: Iterable[str] = ()) -> None:
    """Put tensors into a module (float32, aligned), strictly.

    Args:
        module: Its parameters are replaced, and not trained.
        tensors: By the module's names.
        source: The file, for the message.
        ignored: Names of tensors that files of the layout hold and no tower needs.

    Raises:
        ModelError: Tensors are missing, unexpected or unusable; the sentence names them.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: value for name, value in tensors.items() if name not in set(ignored)}
    if faults := tensor_faults(given, wanted):
        raise ModelError(f"the weights in {source} do not fit their model: {faults}")
    module.load_state_dict({name: aligned(given[name].float()) for name in wanted}, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
