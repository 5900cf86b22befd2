"""A run of a detector over many files."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddlens
from noise import write_pictures
from oddlens.detector import Detector
from oddlens.encoding import BATCH_SIZE, Encoded
from oddlens.errors import UsageError
from oddlens.images import Picture
from oddlens.results import ResultsFolder
from oddlens.run import DetectionRun, Task, unique_names


@pytest.fixture(scope="module")
def detector(open_clip_folder: Path) -> Detector:
    return oddlens.load(model=open_clip_folder)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the pictures that ran together, group by group."""
    groups: list[list[str]] = []
    encode = Detector.encode_pictures

    def watched(self: Detector, pictures: list[Picture]) -> Encoded:
        groups.append([Path(picture.source).stem for picture in pictures])
        return encode(self, pictures)

    monkeypatch.setattr(Detector, "encode_pictures", watched)
    return groups


MakeTask = Callable[[int], Task]


@pytest.fixture
def task(tmp_path: Path) -> MakeTask:
    """A task of so many pictures."""
    return lambda count: Task("bolt", tuple(write_pictures(tmp_path / "in", count)))


class TestRunning:
    def test_without_a_folder_nothing_is_written(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        records = list(DetectionRun(detector, task(2)))
        assert [Path(record["path"]).name for record in records] == ["0.png", "1.png"]
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_records_are_the_detections_with_path_and_time(self, detector: Detector, task: MakeTask) -> None:
        (record,) = DetectionRun(detector, task(1))
        (detection,) = detector.detect(record["path"], "bolt")
        assert record.pop("ms") > 0
        assert record == detection.to_dict()

    def test_a_run_knows_its_length(self, detector: Detector, task: MakeTask) -> None:
        assert len(DetectionRun(detector, task(3))) == 3

    def test_pictures_run_in_fixed_groups_as_they_are_asked_for(
        self, detector: Detector, task: MakeTask, looked_at: list[list[str]]
    ) -> None:
        records = iter(DetectionRun(detector, task(BATCH_SIZE + 2)))
        assert looked_at == []
        next(records)
        assert looked_at == [[str(number) for number in range(BATCH_SIZE)]]
        assert len(list(records)) == BATCH_SIZE + 1
        assert looked_at[1:] == [[str(BATCH_SIZE), str(BATCH_SIZE + 1)]]

    def test_a_group_that_cannot_be_read_at_all_is_told_picture_by_picture(
        self, detector: Detector, task: MakeTask
    ) -> None:
        given = task(2)
        for path in given.paths:
            path.write_bytes(b"")
        assert ["error" in record for record in DetectionRun(detector, given)] == [True, True]


class TestGoingOn:
    def test_a_group_with_a_picture_missing_runs_whole_so_that_its_numbers_are_the_same(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        pictures = task(2 * BATCH_SIZE)
        out = tmp_path / "out"
        whole = list(DetectionRun(detector, pictures, ResultsFolder(out)))
        lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
        (out / "results.jsonl").write_text("".join(lines[: BATCH_SIZE + 3]))
        looked_at.clear()
        again = list(DetectionRun(detector, pictures, ResultsFolder(out, resume=True)))
        assert looked_at == [[str(number) for number in range(BATCH_SIZE, 2 * BATCH_SIZE)]]
        assert [record["score"] for record in again] == [record["score"] for record in whole]
        assert again[: BATCH_SIZE + 3] == whole[: BATCH_SIZE + 3]

    def test_new_pictures_among_the_old_ones_get_their_place(
        self, detector: Detector, task: MakeTask, tmp_path: Path
    ) -> None:
        both = task(4)
        odd = Task("bolt", both.paths[1::2])
        list(DetectionRun(detector, odd, ResultsFolder(tmp_path / "out")))
        records = list(DetectionRun(detector, both, ResultsFolder(tmp_path / "out", resume=True)))
        assert [record["path"] for record in records] == [str(path) for path in both.paths]
        assert list(ResultsFolder(tmp_path / "out", resume=True).done) == [str(path) for path in both.paths]

    def test_other_settings_are_refused_before_anything_runs(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        list(DetectionRun(detector, task(1), ResultsFolder(tmp_path / "out")))
        looked_at.clear()
        with pytest.raises(UsageError, match=r"\(object\)"):
            DetectionRun(detector, Task("nut", task(1).paths), ResultsFolder(tmp_path / "out", resume=True))
        assert looked_at == []


class TestSettings:
    def test_they_name_all_that_the_numbers_depend_on(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        settings = DetectionRun(detector, task(1)).settings()
        assert set(settings["run"]) == {
            "oddlens", "method", "recipe", "fitted", "model", "model_sha256", "weights_sha256", "object", "references",
            "thresholds", "overlays", "maps", "labels", "smoothing",
        }  # fmt: skip
        assert set(settings["machine"]) == {"torch", "python", "device", "weights"}

    def test_learned_weights_are_known_by_content(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        trained = Detector(detector.name, detector.method, weights=str(tmp_path / "weights.pth"))
        hashes = []
        for content in (b"first", b"trained again"):
            (tmp_path / "weights.pth").write_bytes(content)
            hashes.append(DetectionRun(trained, task(1)).settings()["run"]["weights_sha256"])
        assert len({*hashes}) == 2


class TestNames:
    def test_a_picture_keeps_its_stem(self) -> None:
        assert list(unique_names([Path("a/x.png"), Path("b/y.tar.gz"), Path(".z")]).values()) == ["x", "y.tar", ".z"]

    def test_a_shared_stem_gets_a_mark_that_does_not_depend_on_the_other_pictures(self) -> None:
        two = unique_names([Path("a/x.png"), Path("b/x.png")])
        three = unique_names([Path("c/x.jpg"), Path("a/x.png"), Path("b/x.png")])
        assert two[Path("a/x.png")] == three[Path("a/x.png")]
        assert all(name.startswith("x-") for name in two.values())

    @given(
        st.lists(
            st.text("aAbß.", min_size=1).filter(lambda name: {*name} != {"."}), min_size=1, max_size=6, unique=True
        )
    )
    def test_no_two_pictures_share_a_name_even_where_case_does_not_count(self, names: list[str]) -> None:
        paths = [Path(folder, name) for folder in "xy" for name in names]
        given = unique_names(paths)
        assert len({name.casefold() for name in given.values()}) == len(paths)

    @given(st.text("x🔩ü", min_size=1, max_size=255))
    def test_every_name_leaves_room_for_a_suffix(self, stem: str) -> None:
        (name,) = unique_names([Path(stem + ".png")]).values()
        assert len(name.encode()) <= 240
