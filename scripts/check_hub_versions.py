"""Fetch a model from a hub on loopback and find it by its name, under several releases of the hub's client.

    python scripts/check_hub_versions.py [VERSION ...]

Each release gets an environment of its own that is thrown away; what else oddlens needs comes from the environment that runs this.
In each, a fetch of some files of a repository is cut off, goes on, is found by name and loaded, and repairs a damaged file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS = ("0.30.0", "1.21.0", "1.22.0", "pinned")

CHECK = """
import sys, tempfile
from pathlib import Path

place = Path(sys.argv[1])
sys.path[:0] = [{source!r}, {tests!r}]
import huggingface_hub
from huggingface_hub import constants
from hub_server import serving
from oddlens.backbone.cards import CARDS
from oddlens.backbone.fetching import fetch_model
from oddlens.backbone.hub import cached_folder, is_present
from oddlens.backbone.load import load_backbone
from oddlens.errors import ModelError
from tiny_clip import random_weights, write_open_clip

assert huggingface_hub.__version__ == {version!r}, huggingface_hub.__version__
card = next(card for card in CARDS if card.name == "laion2b-vit-b-16")
model = write_open_clip(place / "model", random_weights())
with serving(place / "served") as hub:
    constants.ENDPOINT = hub.url
    constants.HUGGINGFACE_CO_URL_TEMPLATE = hub.url + "/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    constants.DOWNLOAD_CHUNK_SIZE = 1 << 16
    hub.put_folder(card.hub_id, model)
    hub.put(card.hub_id, {{"README.md": b"never fetched", "flax_model.msgpack": b"never fetched"}})
    hub.cut = 3 << 20
    try:
        fetch_model(card.hub_id, card)
        raise SystemExit("the cut was not noticed")
    except ModelError as error:
        assert "it goes on where it stopped" in str(error), error
    assert not is_present(card)
    hub.cut = None
    hub.log.clear()
    folder, warnings = fetch_model(card.hub_id, card)
    assert warnings == ()
    resumed = [part for _, path, part in hub.log if "/lfs/" in path and part]
    assert resumed == [f"bytes={{3 << 20}}-"], resumed
    assert cached_folder(card.hub_id) == folder
    assert is_present(card)
    backbone = load_backbone(card.name, device="cpu")
    assert backbone.card.name == card.name
    weights = (folder / "open_clip_model.safetensors").resolve()
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    (warning,) = fetch_model(card.hub_id, card).warnings
    assert "was damaged" in warning, warning
    assert load_backbone(card.name, device="cpu").model_hash == backbone.model_hash
    carried, _ = fetch_model(card.hub_id, card, to=place / "carried")
    assert load_backbone(carried, device="cpu").model_hash == backbone.model_hash
    for name, sentence in (("someone/nothing", "there is no repository"), (card.hub_id + "@v9", "has no revision")):
        try:
            fetch_model(*name.split("@")[:1], revision=(name.split("@") + [None])[1])
            raise SystemExit("found what is not there")
        except ModelError as error:
            assert sentence in str(error), error
"""


def main() -> None:
    """Check every release that is named, or the usual ones; exit code 1 where one fails."""
    failed = [version for version in sys.argv[1:] or VERSIONS if not _holds(version)]
    raise SystemExit(f"fails under {', '.join(failed)}" if failed else 0)


def _holds(version: str) -> bool:
    number = _pinned() if version == "pinned" else version
    with tempfile.TemporaryDirectory(prefix="oddlens-hub-") as name:
        place = Path(name)
        venv.create(place / "env", with_pip=True, system_site_packages=False)
        python = place / "env" / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"huggingface_hub=={number}"],
            check=True,
        )
        # Behind the environment's own packages, so that the release under test wins.
        (site,) = (place / "env" / "lib").glob("python*/site-packages")
        (site / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")) + "\n")
        check = CHECK.format(source=str(ROOT / "src"), tests=str(ROOT / "tests"), version=number)
        environment = {
            **os.environ,
            "HF_HOME": str(place / "hub"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_PROXY": "127.0.0.1",
            "ODDLENS_CACHE": str(place / "cache"),
        }
        for gone in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE", "PYTHONPATH"):
            environment.pop(gone, None)
        done = subprocess.run([python, "-c", check, place], env=environment, capture_output=True, text=True)
    print(f"huggingface_hub {number}: {'holds' if not done.returncode else 'fails'}", flush=True)
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)
    return not done.returncode


def _pinned() -> str:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("huggingface_hub=="))


if __name__ == "__main__":
    main()
