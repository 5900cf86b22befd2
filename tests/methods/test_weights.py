"""Learned weights: what a file says of itself, whose it is, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from oddlens.backbone.tensors import aligned
from oddlens.errors import ModelError
from oddlens.methods.weights import MethodWeights, read_weights, write_weights

MADE: dict[str, Any] = {
    "method": "april-gan",
    "recipe": {"layers": [1, 2]},
    "model": "mini",
    "model_fingerprint": "abc",
    "seed": 3,
}
WRONG = [
    json.dumps(each)
    for each in (
        None, 3, [], {}, {"format": 1}, {"format": 3, **MADE},
        {"format": 2, **MADE, "method": 3}, {"format": 2, **MADE, "recipe": []},
        {"format": 2, **MADE, "model": 3}, {"format": 2, **MADE, "model_fingerprint": None},
        {"format": 1, "method": "april-gan", "recipe": {}, "model": "mini"},
        {"format": 1, "method": "april-gan", "recipe": {}, "model": {"name": "mini"}},
        {"format": 1, "method": "april-gan", "recipe": {}, "model": {"name": 1, "fingerprint": "abc"}},
        {"format": 2, **MADE, "loss": float("nan")},
    )
] + ["", "{", "[" * 100_000]  # fmt: skip


class TestOurFiles:
    def test_tensors_and_provenance_come_back(self, tmp_path: Path) -> None:
        path = tmp_path / "linear.safetensors"
        write_weights(path, {"w": torch.arange(6.0).view(2, 3).T}, MADE)
        found = read_weights(path)
        assert found.tensors["w"].tolist() == [[0, 3], [1, 4], [2, 5]]
        assert found.provenance == {"format": 2, **MADE}
        assert found.recipe == {"layers": [1, 2]}
        assert found.source == str(path)

    def test_format_1_which_nests_the_model_is_read_in_the_names_of_today(self, tmp_path: Path) -> None:
        path = tmp_path / "earlier.safetensors"
        made = {
            "format": 1,
            "method": "april-gan",
            "recipe": {},
            "model": {"name": "mini", "hash": "ff", "fingerprint": "abc"},
        }
        save_file({"w": torch.zeros(1)}, path, {"oddlens": json.dumps(made)})
        found = read_weights(path).provenance
        assert found == {
            "format": 1, "method": "april-gan", "recipe": {}, "model": "mini", "model_sha256": "ff", "model_fingerprint": "abc",
        }  # fmt: skip

    def test_one_that_does_not_say_how_it_was_made_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "anything.safetensors"
        save_file({"w": torch.zeros(1)}, path)
        with pytest.raises(ModelError, match=r"anything\.safetensors does not say how it was made: give weights that"):
            read_weights(path)

    def test_a_damaged_one_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "torn.safetensors"
        write_weights(path, {"w": torch.zeros(8)}, MADE)
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(ModelError, match=r"torn\.safetensors is damaged"):
            read_weights(path)

    @pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
    def test_one_with_a_number_that_is_not_finite_is_neither_read_nor_written(
        self, tmp_path: Path, number: float
    ) -> None:
        path = tmp_path / "learned.safetensors"
        tensors = {"w": torch.zeros(8), "v": torch.tensor([1.0, number])}
        with pytest.raises(ModelError, match=r"learned\.safetensors is not written: .* not finite \(v\)"):
            write_weights(path, tensors, MADE)
        assert not path.exists()
        save_file(tensors, path, {"oddlens": json.dumps({"format": 1, **MADE})})
        with pytest.raises(
            ModelError, match=r"learned\.safetensors cannot be used \(v with numbers that are not finite\)"
        ):
            read_weights(path)

    @pytest.mark.parametrize("told", WRONG)
    def test_one_that_says_it_in_another_form_is_refused(self, tmp_path: Path, told: str) -> None:
        path = tmp_path / "learned.safetensors"
        save_file({"w": torch.zeros(1)}, path, {"oddlens": told})
        with pytest.raises(ModelError, match=r"learned\.safetensors (does not say how it was made|is damaged)"):
            read_weights(path)


class TestTheAuthorsFiles:
    def test_one_with_a_number_that_is_not_finite_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "epoch_15.pth"
        torch.save({"fc": {"0.weight": torch.tensor([torch.nan])}}, path)
        with pytest.raises(ModelError, match=r"cannot be used \(fc\.0\.weight with numbers that are not finite\)"):
            read_weights(path)

    def test_one_that_holds_itself_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "loop.pth"
        state: dict[str, Any] = {"w": torch.zeros(1)}
        state["self"] = state
        torch.save(state, path)
        with pytest.raises(ModelError, match=r"loop\.pth is not a file of tensors"):
            read_weights(path)

    def test_nested_names_are_joined_with_dots(self, tmp_path: Path) -> None:
        path = tmp_path / "epoch_15.pth"
        torch.save({"prompt_learner": {"ctx_pos": torch.ones(2)}}, path)
        found = read_weights(path)
        assert list(found.tensors) == ["prompt_learner.ctx_pos"]
        assert found.provenance is None
        assert found.recipe == {}

    def test_tensors_lie_in_memory_as_those_of_our_files_wherever_they_lay_before(self, tmp_path: Path) -> None:
        whole = torch.arange(33.0)
        torch.save({"cut": whole[1:], "turned": whole[:32].view(2, 16).T}, tmp_path / "w.pth")
        found = read_weights(tmp_path / "w.pth").tensors
        assert all(aligned(value) is value for value in found.values())
        assert torch.equal(found["turned"].T.flatten(), whole[:32])

    @pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(1)], {}])
    def test_what_is_no_file_of_tensors_is_refused(self, content: object, tmp_path: Path) -> None:
        path = tmp_path / "other.pth"
        torch.save(content, path)
        with pytest.raises(ModelError, match=r"other\.pth is not a file of tensors"):
            read_weights(path)

    def test_one_that_asks_to_run_code_is_not_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "evil.pth"
        torch.save({"w": Path("x")}, path)
        with pytest.raises(ModelError, match="holds more than plain tensors"):
            read_weights(path)


class TestWhoseTheyAre:
    LEARNED = MethodWeights("linear.safetensors", {}, {"format": 1, **MADE})

    def test_the_method_and_model_they_were_made_for_may_use_them(self) -> None:
        self.LEARNED.check_method("april-gan")
        self.LEARNED.check_model("abc", "mini")

    def test_another_method_is_one_clear_error(self) -> None:
        with pytest.raises(ModelError, match=r"linear\.safetensors holds weights of april-gan, not of anomalyclip"):
            self.LEARNED.check_method("anomalyclip")

    def test_another_model_is_one_clear_error(self) -> None:
        with pytest.raises(ModelError, match="was trained on the model mini, whose features are not those of big"):
            self.LEARNED.check_model("abd", "big")

    def test_the_authors_files_say_nothing_to_check(self) -> None:
        unknown = MethodWeights("epoch_15.pth", {})
        unknown.check_method("anomalyclip")
        unknown.check_model("abd", "big")
