"""`oddlens doctor`: what this machine has, and what would be missing without a network."""

from __future__ import annotations

from oddlens.errors import counted

_NOT_FOR_USERS = ("test", "docs", "dev", "release")
_ABSENT = "not installed"


def doctor() -> None:
    """Show what this machine has, and what would be missing offline."""
    import platform

    from oddlens import __version__
    from oddlens.backbone.cards import CARDS
    from oddlens.backbone.hub import is_present
    from oddlens.io.hashes import cache_folder

    present = {card.name: is_present(card) for card in CARDS}
    absent = [name for name, here in present.items() if not here]
    needed = _packages()
    extras = {extra: packages for extra, packages in needed.items() if extra and extra not in _NOT_FOR_USERS}
    lacking = [extra for extra, packages in extras.items() if _ABSENT in map(_version, packages)]
    facts = {
        "oddlens": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        **{package: _version(package) for package in needed.get("", ())},
        **{
            f"extra {extra}": ", ".join(f"{package} {_version(package)}" for package in packages)
            for extra, packages in extras.items()
            if extra not in lacking
        },
        **({"extras not here": f"{', '.join(lacking)}: pip install 'oddlens[NAME]' adds one"} if lacking else {}),
        "runtime onnx": _onnx_runtime(),
        "runtime openvino": _openvino_runtime(),
        "runtime torch": _torch_runtime(),
        "cache": str(cache_folder()),
        "models here": ", ".join(name for name, here in present.items() if here) or "none",
        "models not here": ", ".join(absent) or "none",
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:{width}}  {fact}")
    if absent:
        print(f"{'':{width}}  fetch what you need on a connected machine: oddlens models fetch NAME [--to DIR]")


def _packages() -> dict[str, list[str]]:
    """Extra -> the packages that it brings and the extra `torch` does not; "" -> those that every installation has."""
    import re
    from importlib.metadata import requires

    found: dict[str, list[str]] = {}
    for text in requires("oddlens") or ():
        extra = re.search(r"""extra == ['"]([^'"]+)""", text)
        found.setdefault(extra[1] if extra else "", []).append(re.split(r"[^A-Za-z0-9._-]", text)[0])
    brought = set(found.get("torch", ()))
    return {
        extra: [package for package in packages if extra == "torch" or package not in brought]
        for extra, packages in found.items()
    }


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return _ABSENT


def _onnx_runtime() -> str:
    """What runs the graphs of the embedded model and of exported stations."""
    import onnxruntime

    from oddlens.runtime.session import thread_count

    device = "cuda" if "CUDAExecutionProvider" in onnxruntime.get_available_providers() else "cpu"
    return f"onnxruntime {onnxruntime.__version__} on {device}, {_threads(thread_count())}"


def _openvino_runtime() -> str:
    """What can run them too."""
    from oddlens.errors import UsageError
    from oddlens.runtime.engine import engine
    from oddlens.runtime.session import thread_count

    openvino = engine("openvino")
    try:
        device = openvino.choose_device("auto")
    except UsageError as error:
        return str(error)
    return f"{openvino.package} {_version(openvino.package)} on {device}, {_threads(thread_count())}"


def _torch_runtime() -> str:
    """What runs every model and method, and trains."""
    import platform

    from oddlens.errors import UsageError, needs_torch

    try:
        with needs_torch("every model but the embedded one and exported stations"):
            import torch

            from oddlens.backbone.load import choose_device
    except UsageError as error:
        return str(error)
    device = choose_device("auto")
    processor = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    )
    return f"torch {torch.__version__} on {device} ({processor}), {_threads(torch.get_num_threads())}"


def _threads(number: int) -> str:
    import os

    return f"{counted(number, 'thread')} of {counted(os.cpu_count() or 1, 'processor')}"
