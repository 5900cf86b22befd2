"""Learned weights pushed and pulled; `test_station.py` has what is the same for both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from oddlens.errors import ModelError, UsageError
from oddlens.methods.weights import read_weights, write_weights
from oddlens.sharing.bundle import CARD, NAME
from oddlens.sharing.weights import FILE, pull_weights, push_weights
from tests.hub_server import HubServer

MADE = {
    "method": "april-gan", "recipe": {"image_size": 518}, "model": "tiny", "model_fingerprint": "0123456789abcdef",
    "data": [{"name": "parts", "data_sha256": "ab" * 32, "images_sha256": "00ff 11ff"}],
    "settings": {"epochs": 3}, "note": "a | b <script>",
}  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    tensors = {"layers.0.weight": torch.arange(12.0).reshape(3, 4), "layers.0.bias": torch.zeros(3)}
    write_weights(tmp_path / "learned.safetensors", tensors, MADE)
    return tmp_path / "learned.safetensors"


@pytest.mark.parametrize("way", ["folder", "hub"])
def test_pulled_weights_are_those_that_were_pushed(
    weights: Path, tmp_path: Path, way: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "shared")
    if way == "hub":
        hub: HubServer = request.getfixturevalue("hub_server")
        hub.token, place = "hf_token", "hf://someone/april"
        monkeypatch.setenv("HF_TOKEN", "hf_token")
    push_weights(weights, place, private=False)
    if way == "hub":
        assert hub.private == {"someone/april": False}
        assert hub.commits == ["Weights of april-gan on tiny"]
    pulled = pull_weights(place, tmp_path / "pulled.safetensors")
    assert (tmp_path / "pulled.safetensors").read_bytes() == weights.read_bytes()
    assert pulled.provenance == read_weights(weights).provenance


def test_the_card_says_how_they_were_made(weights: Path, tmp_path: Path) -> None:
    push_weights(weights, str(tmp_path / "shared"))
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == sorted([CARD, NAME, FILE])
    text = (tmp_path / "shared" / CARD).read_text()
    for part in (
        "15 numbers in 2 tensors",
        "0123456789abcdef",
        '"data_sha256"',
        '"images_sha256": "2 hashes"',
        '{"epochs": 3}',
        "- april-gan",
        "a \\| b &lt;script>",
    ):
        assert part in text
    assert "\nlicense:" not in text


def test_the_authors_own_files_are_not_pushed(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "theirs.pth")
    with pytest.raises(UsageError, match=r"theirs.pth is the authors' own and does not say how it was made"):
        push_weights(tmp_path / "theirs.pth", str(tmp_path / "shared"))
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize("how", ["damaged", "replaced", "another kind", "more files"])
@pytest.mark.parametrize("way", ["folder", "hub"])
def test_what_is_not_what_it_says_is_not_taken(
    weights: Path, tmp_path: Path, how: str, way: str, request: pytest.FixtureRequest
) -> None:
    push_weights(weights, str(tmp_path / "shared"))
    path = tmp_path / "shared" / NAME
    document = json.loads(path.read_text())
    if how == "damaged":
        (tmp_path / "shared" / FILE).write_bytes(weights.read_bytes()[:-1] + b"!")
    elif how == "replaced":  # whole by its hash, and no weights
        (tmp_path / "shared" / FILE).write_bytes(b"no weights")
        document["files"][FILE] = {
            "sha256": hashlib.sha256(b"no weights").hexdigest(), "bytes": 10
        }  # fmt: skip
    elif how == "another kind":
        document["kind"] = "station"
    else:
        document["files"]["more.json"] = document["files"][FILE]
        (tmp_path / "shared" / "more.json").write_bytes(weights.read_bytes())
    path.write_text(json.dumps(document))
    place = str(tmp_path / "shared")
    if way == "hub":
        hub: HubServer = request.getfixturevalue("hub_server")
        hub.put_folder("someone/april", tmp_path / "shared")
        place = "hf://someone/april"
    said = {
        "damaged": "is damaged, or not the file",
        "replaced": f"{FILE} of {place} is damaged or no safetensors file",
        "another kind": "holds a station, and not learned weights: pull it with 'oddlens station pull'",
        "more files": "holds other files than weights.safetensors",
    }
    with pytest.raises((ModelError, UsageError), match=said[how]):
        pull_weights(place, tmp_path / "pulled.safetensors")
    assert not list(tmp_path.glob("*pulled*"))
    assert not list(tmp_path.glob(".*pulled*"))  # nothing to go on from


def test_a_file_that_is_there_stays(weights: Path, tmp_path: Path) -> None:
    push_weights(weights, str(tmp_path / "shared"))
    with pytest.raises(UsageError, match=r"learned.safetensors exists"):
        pull_weights(str(tmp_path / "shared"), weights)
    with pytest.raises(UsageError, match=r"no name for weights: end it in .safetensors"):
        pull_weights(str(tmp_path / "shared"), tmp_path / "pulled.pth")
