"""Which good examples a category gets."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from oddlens.data.named import NamedDataset
from oddlens.errors import UsageError
from oddlens.evaluation import ListedPicks, RulePicks, open_sources
from oddlens.evaluation.picks import list_path, write_picks
from tests.evaluation.tiny_set import write_set


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> NamedDataset:
    return open_sources([write_set(tmp_path_factory.mktemp("data") / "parts", train=12)])[0]


def picked(source: NamedDataset, seed: int, category: str = "bolt") -> list[str]:
    return [record.image.name for record in RulePicks().of(source, category, seed)]


def test_the_rule_is_an_order_by_hash_that_any_program_can_repeat(source: NamedDataset) -> None:
    names = [f"{number:03}.png" for number in range(12)]
    assert picked(source, 3) == sorted(names, key=lambda name: sha256(f"3/bolt/{name}".encode()).hexdigest())


def test_the_rule_never_changes(source: NamedDataset) -> None:
    assert picked(source, 0)[:4] == FIRST_OF_BOLT[0]
    assert picked(source, 1)[:4] == FIRST_OF_BOLT[1]


FIRST_OF_BOLT = {
    0: ["005.png", "003.png", "011.png", "010.png"],
    1: ["004.png", "008.png", "009.png", "002.png"],
}


def test_where_the_data_set_lies_does_not_matter(source: NamedDataset, tmp_path: Path) -> None:
    elsewhere = open_sources([write_set(tmp_path / "other", train=12) / "bolt"])[0]
    assert picked(elsewhere, 5) == picked(source, 5)


def test_categories_and_seeds_have_picks_of_their_own(source: NamedDataset) -> None:
    assert len({tuple(picked(source, seed, category)) for seed in (0, 1) for category in ("bolt", "metal_nut")}) == 4


def test_a_list_that_was_written_gives_the_same_picks(source: NamedDataset, tmp_path: Path) -> None:
    chosen = RulePicks().of(source, "bolt", 7)[:5]
    write_picks(tmp_path, source, "bolt", 7, chosen)
    path = list_path(tmp_path, "parts", "bolt", 7)
    assert path.read_text().splitlines()[0] == source.relative(chosen[0])
    assert ListedPicks(tmp_path, [source]).of(source, "bolt", 7) == chosen


def test_one_list_serves_all_categories_and_seeds(source: NamedDataset, tmp_path: Path) -> None:
    path = tmp_path / "k_shot.txt"
    path.write_text("# mine\nmetal_nut/train/good/002.png\n\nbolt/train/good/004.png\nbolt/train/good/001.png\n")
    picks = ListedPicks(path, [source])
    for seed in (0, 9):
        assert [record.image.name for record in picks.of(source, "bolt", seed)] == ["004.png", "001.png"]
        assert [record.image.name for record in picks.of(source, "metal_nut", seed)] == ["002.png"]


@pytest.mark.parametrize("line", ["bolt/test/good/000.png", "bolt/test/block/000.png", "bolt/train/good/099.png"])
def test_what_is_measured_on_or_unknown_cannot_be_an_example(source: NamedDataset, tmp_path: Path, line: str) -> None:
    path = tmp_path / "k_shot.txt"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match="no normal image outside the test split"):
        ListedPicks(path, [source])
    in_folder = list_path(tmp_path, "parts", "bolt", 0)
    in_folder.parent.mkdir()
    in_folder.write_text(line + "\n")
    with pytest.raises(UsageError, match="no normal image outside the test split"):
        ListedPicks(tmp_path, [source]).of(source, "bolt", 0)


def test_another_categorys_pictures_do_not_belong_in_a_list(source: NamedDataset, tmp_path: Path) -> None:
    write_picks(tmp_path, source, "bolt", 0, RulePicks().of(source, "metal_nut", 0)[:1])
    with pytest.raises(UsageError, match="metal_nut/train/good"):
        ListedPicks(tmp_path, [source]).of(source, "bolt", 0)


def test_a_list_comes_back_whatever_the_bytes_of_its_names_and_with_a_mark_before_them(tmp_path: Path) -> None:
    root = write_set(tmp_path / "parts", ["bolt"])
    train = root / "bolt" / "train" / "good"
    (train / "000.png").rename(train / os.fsdecode(b"gr\xf6\xdfe.png"))
    (source,) = open_sources([root])
    wanted = RulePicks().of(source, "bolt", 0)
    write_picks(tmp_path, source, "bolt", 0, wanted)
    assert ListedPicks(tmp_path, [source]).of(source, "bolt", 0) == wanted
    path = list_path(tmp_path, "parts", "bolt", 0)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert ListedPicks(tmp_path, [source]).of(source, "bolt", 0) == wanted


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \t\n"])
def test_a_list_comes_back_as_editors_write_it_whatever_its_names_hold(tmp_path: Path, end: str, mark: str) -> None:
    root = write_set(tmp_path / "parts", ["#1 bolt"])
    train = root / "#1 bolt" / "train" / "good"
    for number, name in enumerate(("a\u2028b.png", "c\x85d.png", " e.png")):
        (train / f"00{number}.png").rename(train / name)
    (source,) = open_sources([root])
    wanted = RulePicks().of(source, "#1 bolt", 0)
    write_picks(tmp_path, source, "#1 bolt", 0, wanted)
    path = list_path(tmp_path, "parts", "#1 bolt", 0)
    path.write_bytes(mark.encode() + path.read_bytes().replace(b"\n", end.encode()))
    whole = ListedPicks(path, [source]).of(source, "#1 bolt", 0)
    assert ListedPicks(tmp_path, [source]).of(source, "#1 bolt", 0) == whole == wanted


def test_a_missing_list_is_named(source: NamedDataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"bolt-seed4\.txt is missing"):
        ListedPicks(tmp_path, [source]).of(source, "bolt", 4)
    with pytest.raises(UsageError, match="no picks at"):
        ListedPicks(tmp_path / "nowhere", [source])
