"""`oddlens doctor`: what this machine has, and what would be missing without a network."""

from __future__ import annotations


def doctor() -> None:
    """Print versions, device, threads, the models found and what would be missing offline."""
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import torch

    from oddlens import __version__
    from oddlens.backbone.cache import cache_folder
    from oddlens.backbone.cards import CARDS
    from oddlens.backbone.hub import is_present
    from oddlens.backbone.load import choose_device

    def installed(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    print(f"oddlens      {__version__}")
    print(f"python       {platform.python_version()} on {platform.platform()}")
    for package in (
        "torch",
        "numpy",
        "pillow",
        "opencv-python-headless",
        "tokenizers",
        "safetensors",
        "huggingface-hub",
    ):
        print(f"{package:12} {installed(package)}")
    print(f"device       {device} ({name})")
    print(f"threads      {torch.get_num_threads()} of {os.cpu_count()} processors")
    print(f"cache        {cache_folder()}")
    present = [card.name for card in CARDS if is_present(card)]
    absent = [card.name for card in CARDS if not is_present(card)]
    print(f"models here  {', '.join(present) or 'none'}")
    if absent:
        print(f"missing      {', '.join(absent)}")
        print("             fetch what you need on a connected machine: oddlens models fetch NAME [--to DIR]")
