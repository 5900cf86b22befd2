"""Which image files a list of names means: files, folders and patterns, mistakes in them, and what is passed over."""

import errno
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.io.decoding import FORMAT_OF_SUFFIX
from oddlens.io.finding import find_images, path_identity, say_passed_over

SUFFIXES = f".png, .jpg, .tif, .bmp, .webp or one of {len(FORMAT_OF_SUFFIX) - 5} other suffixes of images"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("img10.png", "img2.PNG", "b/1.jpg", "b/.hidden.jpg", "B2/1.tif", ".git/x.png", "notes.txt", "odd.dat"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*inputs: str | Path) -> list[str]:
    return [path.as_posix() for path in find_images(inputs).paths]


def complaint(*inputs: str | Path) -> str:
    (failure,) = find_images(inputs).failures
    sentence = failure.reason
    assert "\n" not in sentence
    return sentence


@pytest.mark.usefixtures("folder")
class TestFinding:
    def test_a_folder_gives_its_visible_images_and_those_below_in_natural_order(self) -> None:
        assert found(".") == ["b/1.jpg", "B2/1.tif", "img2.PNG", "img10.png"]

    def test_a_named_file_is_taken_whatever_its_suffix_and_even_if_hidden(self) -> None:
        assert found("odd.dat", "b/.hidden.jpg") == ["odd.dat", "b/.hidden.jpg"]

    def test_the_order_of_the_inputs_is_kept_and_repetitions_fall_away(self, folder: Path) -> None:
        assert found("img10.png", ".", folder / "img2.PNG", "./img10.png") == [
            "img10.png",
            "b/1.jpg",
            "B2/1.tif",
            "img2.PNG",
        ]

    def test_a_star_matches_images_and_folders_of_images(self) -> None:
        assert found("*.png") == ["img10.png"]
        assert found("img*") == ["img2.PNG", "img10.png"]
        assert found("b*") == ["b/1.jpg"]
        assert found("*") == ["b/1.jpg", "B2/1.tif", "img2.PNG", "img10.png"]

    def test_two_stars_match_at_any_depth(self, folder: Path) -> None:
        assert found("**/1.*") == ["b/1.jpg", "B2/1.tif"]
        assert found(f"{folder}/**") == [
            f"{folder}/{name}" for name in ("b/1.jpg", "B2/1.tif", "img2.PNG", "img10.png")
        ]

    @pytest.mark.parametrize("name", ["img[2].png", "*.png", "what?.png"])
    def test_a_file_whose_name_looks_like_a_pattern_wins_over_the_pattern(self, folder: Path, name: str) -> None:
        (folder / name).touch()
        assert found(name) == [name]

    def test_a_folder_whose_name_looks_like_a_pattern_is_walked(self, folder: Path) -> None:
        (folder / "set[1]").mkdir()
        (folder / "set[1]" / "x.png").touch()
        assert found("set[1]") == ["set[1]/x.png"]

    @pytest.mark.parametrize("name", ["-x.png", "two\nlines.png", "🔩.png", " .png"])
    def test_odd_names_are_found(self, folder: Path, name: str) -> None:
        (folder / "b" / name).touch()
        assert f"b/{name}" in found("b")

    def test_a_single_name_needs_no_list(self) -> None:
        assert find_images("b").paths == [Path("b/1.jpg")]

    def test_linked_folders_are_followed_and_a_folder_linked_into_itself_ends(self, folder: Path) -> None:
        (folder / "elsewhere").mkdir()
        (folder / "elsewhere" / "x.png").touch()
        (folder / "b" / "link").symlink_to(folder / "elsewhere")
        (folder / "b" / "loop").symlink_to(folder / "b")
        assert found("b") == ["b/1.jpg", "b/link/x.png"]

    def test_nothing_given(self) -> None:
        with pytest.raises(UsageError, match=r"^no image was named: give files, folders or patterns such as"):
            find_images([])

    def test_an_empty_name_does_not_mean_the_current_folder(self) -> None:
        assert complaint("").startswith("an empty name is among the images: give files, folders or patterns")

    def test_a_name_that_does_not_exist(self) -> None:
        assert complaint("img10.png", "none.png") == "none.png does not exist: check the path"

    def test_a_path_whose_spaces_nobody_quoted(self, folder: Path) -> None:
        (folder / "Bilder von Montag").mkdir()
        image = folder / "Bilder von Montag" / "a 1.png"
        image.touch()
        found = find_images(["img10.png", "Bilder", "von", "Montag/a", "1.png", "none.png"])
        hint = '"Bilder von Montag/a 1.png" in quotes if that is meant'
        assert [each.reason for each in found.failures] == [
            f"Bilder does not exist: check the path, or give {hint}",
            "von does not exist: check the path",
            "Montag/a does not exist: check the path",
            "1.png does not exist: check the path",
            "none.png does not exist: check the path",
        ]

    def test_a_folder_without_images(self, folder: Path) -> None:
        (folder / "empty").mkdir()
        assert complaint("empty") == (
            f"the folder empty holds no image, nor do the folders in it: looked for files ending in {SUFFIXES}"
        )

    def test_a_pattern_without_a_match(self) -> None:
        assert complaint("img*.gif") == f"no image matches the pattern img*.gif: looked for files ending in {SUFFIXES}"

    def test_a_pattern_that_matches_no_image(self) -> None:
        assert complaint("*.txt").startswith("no image matches the pattern *.txt: looked for files ending in")

    def test_a_folder_that_may_not_be_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: str | Path) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(os, "scandir", refuse)
        assert complaint("b") == (
            "the folder b cannot be listed (Permission denied): change its permissions or leave it out"
        )


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True))
def test_numbered_files_come_in_the_order_of_their_numbers(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("numbered")
    for number in numbers:
        (folder / f"img_{number}.png").touch()
    assert [path.name for path in find_images([folder]).paths] == [f"img_{number}.png" for number in sorted(numbers)]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def looked(root: Path, *inputs: str) -> tuple[list[str], dict[str, int]]:
    """The images that are found, relative to the root, and what is passed over."""
    found = find_images([root / each for each in inputs] or [root])
    assert found.failures == []
    return [path.relative_to(root).as_posix() for path in found.paths], dict(found.passed_over)


class TestPassedOver:
    def test_files_that_are_no_pictures_are_counted_by_suffix(self, tmp_path: Path) -> None:
        touch(tmp_path, "0.png", "1.dcm", "a/2.DCM", "a/notes.txt", "LICENSE", "Thumbs.db", "desktop.ini", ".DS_Store")
        assert looked(tmp_path) == (["0.png"], {".dcm": 2, ".txt": 1, "without a suffix": 1})

    def test_hidden_pictures_are_counted_and_hidden_folders_named(self, tmp_path: Path) -> None:
        touch(tmp_path, "0.png", "._0.png", ".ipynb_checkpoints/0-checkpoint.png")
        assert looked(tmp_path) == (["0.png"], {"hidden": 1, ".ipynb_checkpoints/": 1})

    @pytest.mark.parametrize("junk", ["@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"])
    def test_folders_that_systems_leave_are_not_looked_into(self, tmp_path: Path, junk: str) -> None:
        touch(tmp_path, "good/0.png", f"good/{junk}/0.png/SYNOPHOTO_THUMB_M.jpg", f"{junk}/0.png")
        assert looked(tmp_path) == (["good/0.png"], {f"{junk}/": 2})
        assert looked(tmp_path, "**/*.[jp]*", "good/*") == (["good/0.png"], {f"{junk}/": 2})

    def test_masks_beside_pictures(self, tmp_path: Path) -> None:
        touch(tmp_path, "0.jpg", "0_mask.png", "1.jpg", "1_MASK.PNG", "_classes.csv")
        assert looked(tmp_path) == (["0.jpg", "1.jpg"], {"masks": 2, ".csv": 1})
        assert looked(tmp_path, "*.[pPjJ]*")[0] == ["0.jpg", "1.jpg"]

    @pytest.mark.parametrize("truth", ["ground_truth", "Ground Truth"])
    def test_the_truth_of_a_data_set(self, tmp_path: Path, truth: str) -> None:
        touch(tmp_path, "test/cut/000.png", f"{truth}/cut/000_mask.png", f"{truth}/cut/001.png")
        assert looked(tmp_path) == (["test/cut/000.png"], {"masks": 2})

    def test_a_folder_of_masks_holds_masks_where_pictures_have_their_names(self, tmp_path: Path) -> None:
        touch(tmp_path, "images/0.jpg", "images/1.jpg", "masks/0.png", "masks/1_mask.png", "masks/1_label.png")
        assert looked(tmp_path) == (["images/0.jpg", "images/1.jpg"], {"masks": 3})
        touch(tmp_path, "products/gloves/a.png", "products/masks/surgical.png")
        assert looked(tmp_path, "products")[0] == ["products/gloves/a.png", "products/masks/surgical.png"]

    def test_what_earlier_runs_left_wherever_their_folder_lies(self, tmp_path: Path) -> None:
        drawn = (
            "overlays/0.png",
            "maps/0.tiff",
            "masks/0.png",
            "labels/0.png",
            "previews/0.jpg",
            "results.jsonl",
            "run.json",
        )
        touch(tmp_path, "0.png", *(f"monday/{name}" for name in drawn), *drawn)
        assert looked(tmp_path) == (["0.png"], {"of earlier runs": 14})
        touch(tmp_path, "bench/cells/x.json", "bench/maps/x/0.tiff", "bench/metrics.json")
        assert looked(tmp_path) == (["0.png"], {"of earlier runs": 17})

    def test_folders_of_such_names_without_a_run_hold_pictures(self, tmp_path: Path) -> None:
        touch(tmp_path, "overlays/0.png", "maps/0.tiff", "labels/0.png")
        assert looked(tmp_path) == (["labels/0.png", "maps/0.tiff", "overlays/0.png"], {})

    @pytest.mark.parametrize(
        "named",
        ["0_mask.png", "ground_truth", "*_mask.png", "ground_truth/*/*.png", "@eaDir/*/*", "@eaDir", "monday/maps"],
    )
    def test_what_is_named_itself_is_taken(self, tmp_path: Path, named: str) -> None:
        touch(tmp_path, "0_mask.png", "ground_truth/cut/0.png", "@eaDir/0.png/thumb.jpg", "monday/run.json")
        touch(tmp_path, "monday/maps/0.tiff")
        (path,), passed = looked(tmp_path, named)
        assert path
        assert passed == {}
        assert (tmp_path / path).suffix != ".json"

    def test_it_is_said_once_for_all_inputs_and_not_of_what_is_named_too(self, tmp_path: Path) -> None:
        touch(tmp_path, "0.jpg", "0_mask.png", "1.jpg", "1_mask.png", "a/2.jpg", "a/2_mask.png")
        assert looked(tmp_path, ".", "a", "1_mask.png") == (
            ["0.jpg", "1.jpg", "a/2.jpg", "1_mask.png"],
            {"masks": 2},
        )

    def test_where_nothing_is_left_the_error_says_what_there_was(self, tmp_path: Path) -> None:
        touch(tmp_path, "0_mask.png", "1.dcm")
        assert complaint(tmp_path).endswith("; 2 files passed over: 1 .dcm, 1 mask")

    def test_of_videos_it_says_how_they_are_taken(self, tmp_path: Path) -> None:
        touch(tmp_path, "drive.mp4", "1.txt")
        assert complaint(tmp_path).endswith("; 2 files passed over: 1 .mp4 (give a video by its own name), 1 .txt")

    def test_the_sentence(self) -> None:
        assert say_passed_over({}) is None
        assert say_passed_over({"masks": 9, ".avif": 3}) == "12 files passed over: 3 .avif, 9 masks"
        assert say_passed_over({"masks": 1}) == "1 file passed over: 1 mask"
        assert say_passed_over({"@eaDir/": 2, ".txt": 1, "__MACOSX/": 1}) == (
            "1 file passed over: 1 .txt; 3 folders passed over: 2 @eaDir, 1 __MACOSX"
        )
        lacking = {".heic": "reading it needs pillow-heif"}
        assert say_passed_over({".heic": 3}, lacking) == "3 files passed over: 3 .heic (reading it needs pillow-heif)"
        many = say_passed_over({f".{number:03}": 1 for number in range(100)})
        assert many is not None
        assert many.endswith("1 .006, 1 .007, 92 of other kinds")
        assert say_passed_over({".a\nb": 1}) == r"1 file passed over: 1 .a\nb"


class TestFaults:
    def test_a_name_that_leads_nowhere_has_its_place_and_the_others_are_found(self, tmp_path: Path) -> None:
        touch(tmp_path, "0.png", "a/1.png")
        names = ["n" * 300 + ".png", "~nosuchuser/x.png", "nul\0.png", "nul\0*.png", "a[.png", ""]
        found = find_images([tmp_path / "0.png", *names, tmp_path / "a"])
        assert [getattr(item, "source", None) for item in found.items] == [None, *names, None]
        assert found.paths == [tmp_path / "0.png", tmp_path / "a/1.png"]
        reasons = [failure.reason for failure in found.failures]
        assert all("\n" not in reason and "\0" not in reason for reason in reasons)
        assert reasons[0] == names[0] + " is no possible file name: check the path"
        assert reasons[1] == "~nosuchuser/x.png does not exist: check the path"

    def test_a_closed_folder_is_reported_and_the_others_are_looked_into(self, ordinary_user: Path) -> None:
        touch(ordinary_user, "a/0.png", "closed/1.png", "z/2.png")
        (ordinary_user / "closed").chmod(0)
        for inputs in ([ordinary_user], [ordinary_user / "*" / "*.png"], [ordinary_user / "**" / "*.png"]):
            found = find_images(inputs)
            assert [path.name for path in found.paths] == ["0.png", "2.png"]
            assert [failure.source for failure in found.failures] == [str(ordinary_user / "closed")]
            assert found.failures[0].reason == (
                f"the folder {ordinary_user}/closed cannot be listed (Permission denied): "
                "change its permissions or leave it out"
            )
        inside = find_images([ordinary_user / "closed" / "1.png", ordinary_user / "z"])
        assert [failure.reason for failure in inside.failures] == [
            f"{ordinary_user}/closed/1.png may not be read by this user: change its permissions"
        ]
        assert [path.name for path in inside.paths] == ["2.png"]

    def test_links_into_closed_folders_do_not_stop_a_search(self, ordinary_user: Path) -> None:
        touch(ordinary_user, "a/0.png", "closed/1.png")
        (ordinary_user / "a" / "link.png").symlink_to(ordinary_user / "closed" / "1.png")
        (ordinary_user / "closed").chmod(0)
        assert [path.name for path in find_images([ordinary_user / "a"]).paths] == ["0.png", "link.png"]

    def test_a_tree_of_any_depth(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Deeper than calls may be nested: a walk that calls itself for each folder fails."""
        monkeypatch.chdir(tmp_path)
        depth, most = 300, sys.getrecursionlimit()
        Path("d/" * depth).mkdir(parents=True)
        Path("d/" * depth, "0.png").touch()
        try:
            sys.setrecursionlimit(len(inspect.stack(0)) + depth)
            assert [path.name for path in find_images(["d"]).paths] == ["0.png"]
        finally:
            sys.setrecursionlimit(most)


@pytest.mark.parametrize("name", ["m1²3.jpg", "①/a.jpg", "٣.jpg", "1" * 200 + ".png", "²", "1²/٢①.png"])
def test_digits_that_are_no_decimal_digits_are_letters(tmp_path: Path, name: str) -> None:
    name = name if "." in name else name + ".png"
    touch(tmp_path, name, "2.png", "a.png")
    assert sorted(looked(tmp_path)[0]) == sorted([name, "2.png", "a.png"])


@given(st.lists(st.text("0a²①٣-", min_size=1, max_size=5), min_size=1, max_size=6, unique=True))
def test_any_names_are_sorted(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("names")
    touch(folder, *(f"{name}.png" for name in names))
    assert sorted(looked(folder)[0]) == sorted(f"{name}.png" for name in names)


def test_the_spellings_of_a_path_are_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/0.png", "b/0.png")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "other.png").symlink_to("a/0.png")
    monkeypatch.chdir(tmp_path / "b")
    identity = path_identity()
    one = {identity(each) for each in ("../a/0.png", tmp_path / "a/0.png", "../link/0.png", "../link/../a/0.png")}
    assert one == {str(tmp_path / "a/0.png")}
    assert len({*one, identity("0.png"), identity("../other.png")}) == 3
    assert [str(path) for path in find_images(["../a", tmp_path / "a", "../link", "../link/*.png"]).paths] == [
        "../a/0.png"
    ]
