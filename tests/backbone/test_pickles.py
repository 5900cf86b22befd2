"""Pickles and archives are judged by what reading them would take; what programs write is let through."""

import argparse
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oddlens.backbone.pickles import check_archive, check_pickle, check_torch_file

VALUES = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)


@given(value=VALUES, protocol=st.sampled_from([0, 1, 2, 4, 5]))
def test_ordinary_values_pass_and_the_stream_stands_behind_them(value: Any, protocol: int) -> None:
    stream = io.BytesIO(pickle.dumps(value, protocol) + b"rest")
    check_pickle(stream)
    assert stream.read() == b"rest"


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_so_do_objects_sets_and_shared_parts(protocol: int) -> None:
    shared = [1, 2]
    value = OrderedDict(a=shared, b=(shared, shared), c={3, 4}, d=frozenset({5}), e=argparse.Namespace(x=1), f=True)
    check_pickle(io.BytesIO(pickle.dumps(value, protocol)))


@pytest.mark.parametrize("depth", [90, 110])
@pytest.mark.parametrize("build", [lambda inner: [inner], lambda inner: (inner,), lambda inner: {"a": inner}])
def test_a_hundred_levels_are_let_through_and_no_more(build: Any, depth: int) -> None:
    value: Any = None
    for _ in range(depth):
        value = build(value)
    stream = io.BytesIO(pickle.dumps(value))
    if depth < 100:
        check_pickle(stream)
    else:
        with pytest.raises(ValueError, match="it is nested too deeply"):
            check_pickle(stream)


@pytest.mark.parametrize("pickled", [b"", b"\x80\x02", b".", b"hello", b"\x80\x02]a.", b"h\x07.", b"t.", b"\xff"])
def test_a_damaged_one_is_a_value_error(pickled: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_pickle(io.BytesIO(pickled))


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saves_passes(tmp_path: Path, zipped: bool) -> None:
    state = {"a": torch.ones(3, 4), "b": torch.ones(2).half(), "epoch": 3, "history": [{"loss": 0.5}]}
    torch.save(state, tmp_path / "file.pt", _use_new_zipfile_serialization=zipped)
    check_torch_file(tmp_path / "file.pt")


def test_an_archive_may_pack_its_code_only(tmp_path: Path) -> None:
    for name, told in (("x/code/a.py", None), ("x/data/0", "unpacks to more"), ("x/version", "unpacks to more")):
        with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, bytes(10_000))
        size = (tmp_path / "a.pt").stat().st_size
        with zipfile.ZipFile(tmp_path / "a.pt") as archive:
            if told is None:
                check_archive(archive, size)
            else:
                with pytest.raises(ValueError, match=told):
                    check_archive(archive, size)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_stands_for_one_entry(tmp_path: Path) -> None:
    """Otherwise the one that is judged need not be the one that is read."""
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("x/data.pkl", b"N.")
        archive.writestr("x/data.pkl", b"K\x01.")
    with pytest.raises(ValueError, match="it holds one name twice"):
        check_torch_file(tmp_path / "a.pt")
