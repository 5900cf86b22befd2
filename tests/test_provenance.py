"""The identity of a result: what is part of it, when it changes, and how the names of earlier versions are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import oddlens
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.methods.patch_knn.recipe import PatchKNNRecipe
from oddlens.methods.recipe import filed_fields, filed_recipe, held_fields
from oddlens.methods.registry import method_card
from oddlens.methods.winclip.recipe import WinCLIPRecipe
from oddlens.provenance import differing, plain_recipe, preprocessing_sha256, respelled, versions

Pictures = list[NDArray[np.uint8]]


@pytest.fixture
def detector(open_clip_folder: Path) -> Detector:
    return oddlens.load("winclip", model=open_clip_folder, device="cpu")


class TestIdentity:
    def test_it_is_made_once(self, detector: Detector) -> None:
        assert detector.identity is detector.identity

    def test_references_and_thresholds_make_it_another_one(self, detector: Detector, pictures: Pictures) -> None:
        bare = detector.identity
        detector.add_references(pictures[:2])
        taught = detector.identity
        assert (bare.reference_count, bare.references_sha256) == (0, None)
        assert taught.reference_count == 2
        assert taught.references_sha256 is not None
        detector.add_references(pictures[2:3])
        assert detector.identity.references_sha256 != taught.references_sha256
        detector.set_thresholds(image=0.5)
        assert detector.identity.thresholds == {"image": 0.5, "pixel": None, "source": "given"}
        detector.thresholds = Thresholds()
        detector.references = None
        assert detector.identity == bare

    def test_another_question_has_another_recipe_and_the_same_references(
        self, detector: Detector, pictures: Pictures
    ) -> None:
        detector.add_references(pictures[:2])
        encoded = detector.encode(pictures[2:3])
        detector.predict(encoded, temperature=0.5)
        assert detector.identity.recipe["temperature"] == detector.recipe.temperature

    def test_it_names_the_model_by_its_files_and_by_its_features(self, detector: Detector) -> None:
        told, backbone = detector.identity.to_dict(), detector.method.backbone
        assert told["model"] == backbone.card.name
        assert told["model_sha256"] == backbone.model_hash
        assert told["model_fingerprint"] == backbone.fingerprint

    def test_every_hash_is_called_by_what_it_is_of(self, detector: Detector) -> None:
        told = detector.identity.to_dict()
        hashes = {name for name in told if name.endswith("sha256")}
        assert hashes == {"model_sha256", "preprocessing_sha256", "weights_sha256", "references_sha256"}
        assert not any(isinstance(value, dict) for name, value in told.items() if name not in ("recipe", "thresholds"))

    def test_it_is_plain_and_of_lists(self, detector: Detector) -> None:
        """What is read back from JSON is equal to it."""
        assert isinstance(detector.identity.to_dict()["recipe"]["window_sizes"], list)

    def test_where_it_ran_is_beside_it(self, detector: Detector) -> None:
        assert detector.identity.machine["device"] == "cpu"
        assert detector.identity.machine["torch"]
        assert "device" not in detector.identity.to_dict()


def test_preprocessing_is_known_by_all_its_numbers() -> None:
    plain: tuple[Any, ...] = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 240, None, "bicubic")
    others: list[tuple[Any, ...]] = [
        ((0.5, 0.5, 0.4), *plain[1:]), (plain[0], (0.25, 0.25, 1), *plain[2:]), (*plain[:2], 224, None, "bicubic"),
        (*plain[:3], 512, "bicubic"), (*plain[:4], "bilinear"),
    ]  # fmt: skip
    assert len({preprocessing_sha256(*each) for each in [plain, *others]}) == 6
    assert preprocessing_sha256([0.5, 0.5, 0.5], *plain[1:]) == preprocessing_sha256(*plain)


def test_the_version_of_what_is_not_installed_is_none() -> None:
    found = versions("there-is-no-such-package")
    assert found["there-is-no-such-package"] is None
    assert {"oddlens", "python", "torch"} < found.keys()


class TestEarlierNames:
    @pytest.mark.parametrize("name", ["hash", "sha256"])
    def test_a_nested_model_is_flat_now(self, name: str) -> None:
        told = respelled({"method": "winclip", "model": {"name": "mini", name: "ff", "fingerprint": "ab"}})
        assert told == {"method": "winclip", "model": "mini", "model_sha256": "ff", "model_fingerprint": "ab"}

    def test_references_of_a_run_are_two_names_now(self) -> None:
        assert respelled({"references": {"count": 4, "sha256": "ff"}}) == {
            "reference_count": 4,
            "references_sha256": "ff",
        }
        assert respelled({"references": None})["reference_count"] == 0

    def test_a_data_set_is_known_by_data_sha256_now(self) -> None:
        assert respelled({"data": [{"name": "nuts", "manifest": "ff"}]}) == {
            "data": [{"name": "nuts", "data_sha256": "ff"}]
        }

    def test_names_of_today_stay_as_they_are(self, detector: Detector) -> None:
        told = detector.identity.to_dict() | {"references": ["a.png"], "data": "ff"}
        assert respelled(told) == told

    def test_an_earlier_file_differs_in_what_it_says_and_not_in_how(self, detector: Detector) -> None:
        now = detector.identity.to_dict()
        earlier = {
            "oddlens": now["oddlens"], "method": "winclip", "recipe": now["recipe"], "fitted": now["fitted"],
            "model": {"name": now["model"], "hash": now["model_sha256"]}, "weights_sha256": None, "references": None,
            "thresholds": now["thresholds"],
        }  # fmt: skip
        assert differing(earlier, now) == []
        other = earlier | {"recipe": now["recipe"] | {"temperature": 3.0}, "model": {"name": now["model"], "hash": "0"}}
        assert differing(other, now) == ["recipe temperature", "model_sha256"]

    def test_a_field_that_its_version_lacked_is_none(self) -> None:
        assert differing({"recipe": {"size": 1}}, {"recipe": {"size": 1, "activation": None}}) == []
        assert differing({"recipe": {"size": 1}}, {"recipe": {"size": 1, "activation": "gelu"}}) == [
            "recipe activation"
        ]

    def test_what_is_written_today_counts_wherever_it_was_written(self, detector: Detector) -> None:
        now = detector.identity.to_dict()
        assert differing(now | {"preprocessing_sha256": "0"}, now) == ["preprocessing_sha256"]
        assert differing({name: value for name, value in now.items() if name != "preprocessing_sha256"}, now) == []

    def test_the_images_of_a_data_set_count_where_its_version_wrote_them(self) -> None:
        now = {"data": [{"name": "nuts", "images_sha256": "ff"}, {"name": "lids"}]}
        assert differing({"data": [{"name": "nuts"}, {"name": "lids"}]}, now) == []
        for other in ({"name": "nuts", "images_sha256": "00"}, {"name": "bolts"}):
            assert differing({"data": [other, {"name": "lids"}]}, now) == ["data"]
        assert differing({"data": [{"name": "nuts"}]}, now) == ["data"]


def test_a_field_that_is_newer_than_a_recipe_is_named_where_it_is_not_what_was_meant_before() -> None:
    assert "reference_tokens" not in plain_recipe(WinCLIPRecipe())
    assert plain_recipe(WinCLIPRecipe(reference_tokens="normed"))["reference_tokens"] == "normed"
    assert "reference_tokens" not in held_fields(WinCLIPRecipe())
    assert held_fields(WinCLIPRecipe(reference_tokens="normed"))["reference_tokens"] == "normed"
    assert plain_recipe(PatchKNNRecipe())["score_taps"] == "all"
    earlier = plain_recipe(PatchKNNRecipe(score_taps="coarse"))
    assert "score_taps" not in earlier
    assert filed_recipe(PatchKNNRecipe, earlier) == PatchKNNRecipe(score_taps="coarse")
    assert filed_recipe(PatchKNNRecipe, {"score_taps": "all"}) == PatchKNNRecipe()
    two = method_card("winclip+patch-knn").recipe
    assert filed_fields(two, {}) == {"winclip_reference_tokens": "block", "patch_knn_score_taps": "coarse"}
