"""The names of what a run draws: one for each image."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.inference.results import unique_names


class TestNames:
    def test_a_picture_keeps_its_stem(self) -> None:
        assert list(unique_names([Path("a/x.png"), Path("b/y.tar.gz"), Path(".z")]).values()) == ["x", "y.tar", ".z"]

    def test_a_shared_stem_gets_a_mark_that_does_not_depend_on_the_other_pictures(self) -> None:
        two = unique_names([Path("a/x.png"), Path("b/x.png")])
        three = unique_names([Path("c/x.jpg"), Path("a/x.png"), Path("b/x.png")])
        assert two[Path("a/x.png")] == three[Path("a/x.png")]
        assert list(two.values()) == ["a-x", "b-x"]

    def test_a_shared_folder_and_stem_gets_a_part_of_the_paths_hash(self) -> None:
        paths = [Path("1/a/x.png"), Path("2/a/X.png"), Path("2/b/x.png"), Path("2/b/y.png")]
        first, second, third, fourth = unique_names(paths).values()
        assert (third, fourth) == ("b-x", "y")
        assert first.startswith("a-x-")
        assert second.startswith("a-X-")
        assert unique_names(paths[:3])[paths[0]] == first

    def test_the_folder_of_a_relative_path_is_the_one_that_it_lies_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "scratch").mkdir()
        monkeypatch.chdir(tmp_path / "scratch")
        assert list(unique_names([Path("x.png"), Path("../x.png")]).values()) == ["scratch-x", f"{tmp_path.name}-x"]

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
        path = Path(stem + ".png")
        for taken in ([], [path.stem]):
            (name,) = unique_names([path], taken=taken).values()
            assert len(name.encode()) <= 250

    def test_a_picture_that_is_called_like_anothers_mark_gets_its_own(self) -> None:
        paths = [Path("a/x.png"), Path("b/x.png")]
        marked = unique_names(paths)[paths[0]]
        names = unique_names([*paths, Path(f"{marked.upper()}.png")])
        assert names[Path(f"{marked.upper()}.png")] == marked.upper()
        assert len({name.casefold() for name in names.values()}) == 3

    def test_names_that_are_taken_are_left_and_names_that_are_kept_stay(self) -> None:
        a, b, c = Path("a/x.png"), Path("b/x.png"), Path("c/y.png")
        names = unique_names([b, c], {c: "x"}, ["x", "z"])
        assert names[c] == "x"
        assert names[b] == unique_names([a, b])[b] == "b-x"
