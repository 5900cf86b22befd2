"""`oddlens.load`: from names to a detector, or one sentence on what is wrong."""

import gc
import os
import shutil
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.calibration import Rates
from oddlens.errors import ImageError, ModelError, OddlensWarning, UsageError
from oddlens.loading.embedded import introduce_embedded
from oddlens.loading.with_graphs import find_graphs
from oddlens.loading.with_torch import load_fitted
from oddlens.methods.registry import method_card
from oddlens.methods.winclip.recipe import WinCLIPRecipe
from tests.small_streets import LINEAR, trained
from tests.tiny_clip import Weights, write_openai_state


class TestRecipes:
    def test_the_image_size_is_the_models_own_and_reported(self, open_clip_folder: Path) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu")
        assert detector.recipe == WinCLIPRecipe(image_size=40)
        assert detector.notes == ("image_size 40, this model's own, instead of the paper's 240",)

    def test_what_is_given_by_hand_is_taken_as_given(self, open_clip_folder: Path) -> None:
        detector = oddlens.load(
            "winclip", model=open_clip_folder, device="cpu", image_size=56, window_sizes=[3], templates="port21"
        )
        assert detector.recipe == WinCLIPRecipe(image_size=56, window_sizes=(3,), templates="port21")
        assert detector.notes == ()

    def test_a_field_that_is_called_like_a_setting_of_tiles_is_the_recipes_without_tiles(
        self, open_clip_folder: Path
    ) -> None:
        detector = oddlens.load("vl4ad", model=open_clip_folder, device="cpu", overlap=0.25)
        assert detector.recipe.overlap == 0.25  # type: ignore[attr-defined]
        assert detector.preparation is None

    @pytest.mark.parametrize(
        ("override", "told"),
        [
            ({"imagesize": 70}, r"has no field 'imagesize', did you mean 'image_size'\? Its fields are image_size, "),
            ({"image_size": "large"}, "cannot be 'large': give a whole number above 0"),
            ({"templates": "port22"}, r"cannot be 'port22', did you mean 'port21'\? Give one of 'paper', 'port21'"),
            ({"window_sizes": []}, "give a list of one or more"),
        ],
    )
    def test_a_setting_that_does_not_fit_is_refused_before_any_model_is_read(
        self, override: dict[str, object], told: str
    ) -> None:
        with pytest.raises(UsageError, match=told):
            oddlens.load("winclip", model="no such model", **override)


class TestModels:
    def test_the_card_bears_the_name_of_the_folder(self, open_clip_folder: Path) -> None:
        assert oddlens.load(model=open_clip_folder, device="cpu").method.backbone.card.name == open_clip_folder.name
        assert oddlens.load(model=str(open_clip_folder), device="cpu").method.backbone.card.name == "open-clip"

    def test_an_absent_one_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no model"):
            oddlens.load(model=tmp_path / "none")
        with pytest.raises(ModelError, match="holds no model that oddlens reads"):
            oddlens.load(model=tmp_path)

    @pytest.mark.parametrize("name", ["WinCLIP", "winCLIP", "WINCLIP"])
    def test_the_name_of_a_method_is_taken_in_any_case_of_letters(self, open_clip_folder: Path, name: str) -> None:
        assert oddlens.load(name, model=open_clip_folder, device="cpu").name == "winclip"

    def test_an_unknown_method_or_device_is_refused(self, open_clip_folder: Path) -> None:
        with pytest.raises(UsageError, match="there is no method 'patchcore'"):
            oddlens.load("patchcore")
        with pytest.raises(UsageError, match="the device 'tpu9' cannot be used here"):
            oddlens.load(model=open_clip_folder, device="tpu9")
        with pytest.raises(UsageError, match=r"^the device 'tpu9' cannot be used here: give one of auto, cpu, cuda$"):
            find_graphs("winclip", None, None, "tpu9", {})  # on the embedded model, without asking torch

    def test_weights_that_do_not_exist_are_named(self, open_clip_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"the weights file .*none\.pth does not exist"):
            oddlens.load("april-gan", model=open_clip_folder, weights=tmp_path / "none.pth", device="cpu")

    def test_a_method_without_weights_says_that_first(self, open_clip_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="winclip takes no weights: leave them out"):
            oddlens.load(model=open_clip_folder, weights=tmp_path / "none.pth", device="cpu")

    def test_a_limit_on_pictures_holds_for_all_that_the_detector_reads(self, open_clip_folder: Path) -> None:
        picture = np.zeros((40, 50, 3), np.uint8)
        detector = oddlens.load(model=open_clip_folder, device="cpu", max_megapixels=0.0019)
        for read in (detector.detect, detector.add_references, detector.encode):
            with pytest.raises(ImageError, match=r"has 50 x 40 pixels, more than the limit of 0\.0019 megapixels"):
                read(picture)
        detector.max_megapixels = 0.002
        assert len(detector.detect(picture)) == 1
        with pytest.raises(UsageError, match="max_megapixels is 0: give a number above 0"):
            oddlens.load(model=open_clip_folder, device="cpu", max_megapixels=0)

    def test_without_a_model_it_is_the_embedded_one(self) -> None:
        assert oddlens.load(device="cpu").method.backbone.card.name == "mini"


def test_importing_the_package_imports_neither_torch_nor_numpy() -> None:
    code = "import oddlens, sys; print(sorted({'torch', 'numpy', 'cv2', 'PIL', 'tokenizers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("method", ["winclip", "anovl", "vl4ad"])
class TestLoneFiles:
    """A weights file without a configuration: its activation is an option of every method."""

    def test_without_an_activation_it_is_one_sentence(self, tmp_path: Path, weights: Weights, method: str) -> None:
        with pytest.raises(
            UsageError, match="does not say which GELU its weights were trained with: give as activation"
        ):
            oddlens.load(method, write_openai_state(tmp_path / "ViT.pt", weights), device="cpu")

    def test_the_one_that_is_given_is_taken_and_kept_by_a_station(
        self, tmp_path: Path, weights: Weights, method: str
    ) -> None:
        path = write_openai_state(tmp_path / "ViT.pt", weights)
        detectors = {each: oddlens.load(method, path, device="cpu", activation=each) for each in ("quick_gelu", "gelu")}
        for activation, detector in detectors.items():
            assert detector.method.backbone.text.config.activation == activation
        with pytest.raises(UsageError, match="does not say which GELU"):  # though it is loaded already
            oddlens.load(method, path, device="cpu")
        detectors["gelu"].save(tmp_path / "station")
        again = oddlens.open_station(tmp_path / "station", "cpu")
        assert again.method.backbone.text.config.activation == "gelu"

    def test_another_word_is_refused(self, tmp_path: Path, weights: Weights, method: str) -> None:
        with pytest.raises(
            UsageError,
            match=r"the recipe field activation cannot be 'relu', did you mean 'gelu'\? Give one of 'gelu', 'quick_gelu'",
        ):
            oddlens.load(method, write_openai_state(tmp_path / "ViT.pt", weights), device="cpu", activation="relu")


class TestSharing:
    def test_detectors_on_one_model_share_its_towers(self, open_clip_folder: Path) -> None:
        first = oddlens.load("winclip", open_clip_folder)
        second = oddlens.load("winclip", str(open_clip_folder), temperature=0.01)
        assert second.method.backbone is first.method.backbone
        assert second.recipe != first.recipe

    def test_another_model_has_towers_of_its_own(self, open_clip_folder: Path, transformers_folder: Path) -> None:
        first = oddlens.load("winclip", open_clip_folder)
        assert oddlens.load("winclip", transformers_folder).method.backbone is not first.method.backbone

    @pytest.mark.parametrize("asked", [(None, "gelu", "quick_gelu"), ("quick_gelu", "gelu", None)])
    def test_whoever_asks_for_another_gelu_shares_the_weights(
        self, open_clip_folder: Path, tmp_path: Path, asked: tuple[str | None, ...]
    ) -> None:
        shutil.copytree(open_clip_folder, tmp_path / "model")
        towers = {
            each: load_fitted(method_card("april-gan"), tmp_path / "model", "cpu", {"activation": each})[0]
            for each in asked
        }
        assert towers["gelu"] is towers[None]
        assert towers["quick_gelu"] is not towers[None]
        for one, other in zip(towers[None].model.parameters(), towers["quick_gelu"].model.parameters(), strict=True):
            assert one is other

    def test_a_model_whose_files_changed_is_loaded_anew(self, open_clip_folder: Path, tmp_path: Path) -> None:
        shutil.copytree(open_clip_folder, tmp_path / "model")
        first = oddlens.load("winclip", tmp_path / "model")
        os.utime(tmp_path / "model" / "open_clip_config.json", ns=(1, 1))
        assert oddlens.load("winclip", tmp_path / "model").method.backbone is not first.method.backbone

    def test_towers_go_with_the_last_detector(self, open_clip_folder: Path, tmp_path: Path) -> None:
        shutil.copytree(open_clip_folder, tmp_path / "model")
        detector = oddlens.load("winclip", tmp_path / "model")
        towers = weakref.ref(detector.method.backbone)
        del detector
        gc.collect()
        assert towers() is None


def test_the_embedded_model_says_what_it_is_but_not_to_weights_that_were_learned_on_it(tmp_path: Path) -> None:
    trained(load_backbone("mini", device="cpu"), tmp_path / "decoder.safetensors", LINEAR)
    introduce_embedded.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        oddlens.load("vl4ad", weights=tmp_path / "decoder.safetensors", device="cpu")
    with pytest.warns(OddlensWarning, match="it is not CLIP") as told:
        oddlens.load("winclip", device="cpu")
    assert told[0].filename == __file__


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_nor_where_no_words_are_asked_nor_when_a_station_is_opened(tmp_path: Path, runtime: str) -> None:
    oddlens.load("winclip", device="cpu", runtime=runtime).save(tmp_path / "station")
    introduce_embedded.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        oddlens.load("patch-knn", device="cpu", runtime=runtime)
        oddlens.open_station(tmp_path / "station", device="cpu", runtime=runtime)


def test_an_opened_station_knows_what_its_references_scored_and_runs_no_model_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8) for seed in range(6)]
    made = oddlens.load("patch-knn", runtime="onnx").add_references(images[:5])
    made.save(tmp_path / "station")
    expected = made.calibration()
    with monkeypatch.context() as patch:
        patch.setattr("oddlens.detector.fitted.FittedDetector._score_batch", lambda *given: 1 / 0)
        opened = oddlens.open_station(tmp_path / "station", runtime="onnx")
        assert opened.calibration() == expected
        opened.calibrate_by(Rates(false_alarm_rate=0.5))
        at_half = opened.calibration()
        assert at_half is not None
        assert at_half.false_alarm_rate == 0.5
    opened.calibrate_by(Rates())
    opened.add_references(images[5:])  # others: they score otherwise
    assert opened.calibration() == made.add_references(images[5:]).calibration()
    assert len(opened.calibration("other") or ()) == 6  # another name
