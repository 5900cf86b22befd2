"""`oddlens weights show`: whose weights, how they were made, what is in the file."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from oddlens.errors import printable
from oddlens.io.hashes import file_hash
from oddlens.methods.weights import write_weights
from tests.cli.program import run
from tests.cli.test_benchmark import write_set

MADE: dict[str, Any] = {
    "method": "april-gan",
    "recipe": {"layers": [1, 2]},
    "model": "mini",
    "model_sha256": "00ff",
    "model_fingerprint": "abc",
    "data": [{"name": "lids", "images_sha256": "00ff 11ff 22ff"}, {"name": "nuts", "pictures": 4}],
    "seed": 3,
    "losses": {"focal": 0.25},
}


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "linear.safetensors"
    write_weights(path, {"fc.0.weight": torch.zeros(2, 3), "fc.0.bias": torch.zeros(2)}, MADE)
    return path


def test_our_files_tell_how_they_were_made(ours: Path) -> None:
    done = run("weights", "show", ours)
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "weights of april-gan: 8 numbers in 2 tensors"
    for line in (
        "layers 1, 2",
        "model mini",
        "name lids",
        "images_sha256 3 hashes",
        "name nuts",
        "seed 3",
        "focal 0.25",
        "fc.0.weight 2 x 3 float32",
    ):
        assert line in lines


def test_as_json_everything_is_there(ours: Path) -> None:
    done = run("weights", "show", ours, "--json")
    told = json.loads(done.out)
    assert told["provenance"] == {"format": 2, **MADE}
    assert (told["method"], told["numbers"]) == ("april-gan", 8)
    assert told["tensors"]["fc.0.bias"] == {"shape": [2], "type": "float32"}


@pytest.mark.parametrize(
    ("content", "method"),
    [
        ({"trainable_linearlayer": {"fc.0.weight": torch.zeros(4, 2)}}, "april-gan"),
        ({"prompt_learner": {"ctx_pos": torch.zeros(1, 1, 2, 4)}}, "anomalyclip"),
    ],
)
def test_the_authors_files_are_known_by_the_names_in_them(content: dict[str, Any], method: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "epoch_15.pth")
    done = run("weights", "show", tmp_path / "epoch_15.pth")
    assert done.out.startswith(
        f"weights of {method}, by the names in it: 8 numbers in 1 tensors; the file does not say how they were made\n"
    )
    assert json.loads(run("weights", "show", tmp_path / "epoch_15.pth", "--json").out)["method"] == method


def test_the_published_layouts_are_known(parity: Path) -> None:
    for folder, method in (("april_gan", "april-gan"), ("anomalyclip", "anomalyclip")):
        done = run("weights", "show", parity / folder / "official_layout.pth", "--json")
        assert json.loads(done.out)["method"] == method


def test_other_tensors_are_of_no_method_known_here(tmp_path: Path) -> None:
    torch.save({"prefc.0.weight": torch.zeros(1), "one": torch.tensor(3)}, tmp_path / "other.pth")
    done = run("weights", "show", tmp_path / "other.pth")
    assert done.out.startswith("weights of no method known here: 2 numbers in 2 tensors")
    assert "  one  one number  int64\n" in done.out


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    done = run("weights", "show", tmp_path / "nothing.pth")
    assert done.code == 2
    assert done.sentence.endswith("nothing.pth does not exist: give an existing .safetensors or .pth file")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.pth").write_text("no weights")
    done = run("weights", "show", tmp_path / "notes.pth")
    assert done.code == 1
    assert "notes.pth is damaged or not a weights file" in done.sentence
    code = run("weights", "show", __file__)
    assert code.sentence == (
        f"{printable(__file__)} is damaged or not a weights file (it is no whole file of PyTorch): fetch it again, or "
        "give another file"
    )


def test_weights_are_pushed_and_pulled(tmp_path: Path) -> None:
    made = {"method": "april-gan", "recipe": {}, "model": "tiny", "model_fingerprint": "0123"}
    write_weights(tmp_path / "a.safetensors", {"layers.0.weight": torch.zeros(2, 2)}, made)
    done = run("weights", "push", tmp_path / "a.safetensors", "--to", tmp_path / "shared")
    assert (done.code, done.out) == (0, f"{tmp_path}/shared\n")
    done = run("weights", "pull", tmp_path / "shared", "--to", tmp_path / "b.safetensors")
    assert (done.code, done.out) == (0, f"{tmp_path}/b.safetensors\n")
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "a.safetensors").read_bytes()
    done = run("station", "pull", tmp_path / "shared", "--to", tmp_path / "line")
    assert done.code == 2
    assert "holds learned weights, and not a station: pull it with 'oddlens weights pull'" in done.sentence


def test_the_card_shows_what_a_benchmark_measured_of_the_weights(tmp_path: Path, open_clip_folder: Path) -> None:
    made = {"method": "april-gan", "recipe": {}, "model": "tiny", "model_fingerprint": "0123"}
    write_weights(tmp_path / "a.safetensors", {"layers.0.weight": torch.zeros(2, 2)}, made)
    data, out = write_set(tmp_path / "set"), tmp_path / "out"
    assert run("benchmark", "--data", data, "--model", open_clip_folder, "--shots", 0, "--out", out).code == 0
    push = ("weights", "push", tmp_path / "a.safetensors", "--to", tmp_path / "shared", "--figures")
    done = run(*push, out)
    assert done.code == 2
    assert "out measured nothing of these weights: give one that did" in done.sentence
    document = json.loads((out / "metrics.json").read_text())
    document["methods"]["winclip"] |= {
        "weights": "a.safetensors", "weights_sha256": file_hash(tmp_path / "a.safetensors"), "trained_on": ["set"],
    }  # fmt: skip
    (result,) = document["results"]
    seen = "the weights of winclip were trained on 2 of 2 test images (nut/test/good/0.png, and 1 more)"
    result["categories"][0]["notes"].append(seen)
    result["categories"].append({**result["categories"][0], "category": "bolt"})
    names = [name for name, value in result["mean"].items() if value is not None]
    result["categories_counted"][names[0]] = 1
    document["datasets"]["set"]["problems"] = 2
    other = {**result, "method": "patch-knn", "mean": dict.fromkeys(result["mean"], 0.123)}
    document["results"].append(other)
    document["methods"]["patch-knn"] = {**document["methods"]["winclip"], "weights_sha256": "of others"}
    (out / "metrics.json").write_text(json.dumps(document))
    assert run(*push, out).code == 0
    card = (tmp_path / "shared" / "README.md").read_text()
    assert f"| data set | method | shots | {' | '.join(names)} |" in card
    assert f"| set | winclip | 0 | {100 * result['mean'][names[0]]:.1f}* |" in card
    for said in (
        f"- set (nut, bolt), winclip: {seen}",
        "*: a mean over fewer categories",
        "Pixels compared at the size of the method's maps",
        "weights a.safetensors (trained on set)",
        "- set: 2 problems found without reading its images",
    ):
        assert said in card, said
    assert "patch-knn" not in card
    assert "12.3" not in card
    document["results"] = [other]
    del document["datasets"]["set"]["problems"]
    (out / "metrics.json").write_text(json.dumps(document))
    assert "holds no figures of a benchmark" in run(*push, out).sentence
    done = run(*push[:4], tmp_path / "other", "--figures", tmp_path)
    assert "holds no figures of a benchmark" in done.sentence
