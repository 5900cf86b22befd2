"""Stations pushed and pulled, by a folder and by a hub on loopback, with the hub's own client."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.errors import ModelError, UsageError
from oddlens.sharing.bundle import CARD, NAME
from oddlens.sharing.card import BEGIN, END
from oddlens.sharing.station import pull_station, push_station
from oddlens.station import read_station, rollback, versions
from tests.hub_server import HubServer
from tests.noise import write_pictures

TOKEN = "hf_secretsecretsecret"
HUB = "hf://someone/line"


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """A station in its second version, with references, thresholds and feedback."""
    detector = oddlens.load(device="cpu", runtime="onnx", method="patch-knn")
    detector.object_name = "nut"
    detector.add_references(write_pictures(tmp_path / "good", 4)).save(tmp_path / "line")
    detector.set_thresholds(image=0.5, pixel=0.6).save(tmp_path / "line")
    (tmp_path / "line" / "feedback.jsonl").write_text("what people said\n")
    return tmp_path / "line"


@pytest.fixture
def hub(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A hub that takes what comes with the token."""
    hub_server.token = TOKEN
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub_server


def scores(station: Path, parts: list[Path]) -> list[float]:
    return [found.score for found in oddlens.open_station(station, "cpu", runtime="onnx").detect(parts)]


@pytest.mark.parametrize("way", ["folder", "hub"])
def test_a_pulled_station_is_the_one_that_was_pushed(
    station: Path, tmp_path: Path, way: str, request: pytest.FixtureRequest
) -> None:
    hub = request.getfixturevalue("hub") if way == "hub" else None
    place = HUB if way == "hub" else str(tmp_path / "shared")
    where = push_station(station, place)
    assert where == (f"{hub.url}/someone/line/commit/{'a' * 40}" if hub else place)
    version = pull_station(place, tmp_path / "pulled")
    assert (version.number, version.verb, version.what) == (1, "push", "pushed as version 2 of line")
    parts = write_pictures(tmp_path / "parts", 2, seed=3)
    assert scores(tmp_path / "pulled", parts) == scores(station, parts)
    mine, theirs = read_station(tmp_path / "pulled"), read_station(station)
    assert mine.identity == theirs.identity
    assert mine.thresholds_in_force == theirs.thresholds_in_force
    assert sorted(path.name for path in (tmp_path / "pulled").iterdir()) == ["files", "station.json", "versions"]
    assert not list(tmp_path.glob(".*pulled*"))


def test_names_that_are_no_text_go_along(station: Path, tmp_path: Path, hub: HubServer) -> None:
    """A folder's name is bytes, and may be none in UTF-8."""
    odd = station.rename(tmp_path / os.fsdecode(b"li\xffne 3"))
    shared, pulled = (tmp_path / os.fsdecode(name) for name in (b"sh\xffared", b"pu\xfflled"))
    push_station(odd, str(shared))
    assert pull_station(str(shared), pulled).what == "pushed as version 2 of li\\udcffne 3"
    card = (shared / CARD).read_text(encoding="utf-8")
    assert "# li\\udcffne 3: a station of oddlens" in card
    assert "oddlens detect parts/ --station 'li\\udcffne 3'" in card
    push_station(odd, HUB)
    again = pull_station(HUB, tmp_path / os.fsdecode(b"aga\xffin"))
    assert again.what == "pushed as version 2 of li\\udcffne 3"
    assert not list(tmp_path.glob(".*pulled*"))


def test_what_people_said_and_earlier_versions_stay(station: Path, tmp_path: Path) -> None:
    push_station(station, str(tmp_path / "shared"))
    names = {path.relative_to(tmp_path / "shared").as_posix() for path in (tmp_path / "shared").rglob("*")}
    assert {name for name in names if "/" not in name} == {CARD, NAME, "files", "station.json", "versions"}
    assert {name for name in names if name.startswith("versions/")} == {"versions/0001.json"}


def test_the_card_says_what_made_it_and_leaves_the_licence_to_people(station: Path, tmp_path: Path) -> None:
    push_station(station, str(tmp_path / "shared"))
    text = (tmp_path / "shared" / CARD).read_text()
    head = text.split("---")[1]
    assert "library_name: oddlens" in head
    assert "\nlicense:" not in head
    for part in ("patch-knn on mini", "4 images", "NG above 0.5", read_station(station).identity.model.sha256):
        assert part in text
    references = read_station(station).references
    assert references is not None
    made = json.loads((tmp_path / "shared" / NAME).read_text())["identity"]
    assert (made["reference_count"], made["references_sha256"]) == (4, references.content_sha256())


def test_a_second_push_replaces_what_is_ours_and_keeps_what_people_wrote(
    station: Path, tmp_path: Path, hub: HubServer
) -> None:
    push_station(station, HUB)
    assert hub.private == {"someone/line": True}
    place = hub.folder / "main" / "someone" / "line"
    text = (place / CARD).read_text().replace("# license: say here", "license: mit\n# was: say here")
    (place / CARD).write_text(text.replace(BEGIN, f"My words.\n{BEGIN}") + "\nAnd these.\n")
    hub.put(
        "someone/line",
        {".gitattributes": b"*.safetensors filter=lfs\n", "photo.jpg": b"jpeg", "more/notes.txt": b"mine"},
    )
    before = {path.name for path in (place / "files").iterdir()}
    detector = oddlens.open_station(station, "cpu", runtime="onnx")
    detector.add_references(write_pictures(tmp_path / "more", 1, seed=9)).save(station)
    push_station(station, HUB)
    assert hub.commits == ["Station line, version 2", "Station line, version 3"]
    after = {path.name for path in (place / "files").iterdir()}
    assert not before & after  # what no version names any more is gone
    text = (place / CARD).read_text()
    assert "license: mit" in text
    assert (
        text.index("My words.")
        < text.index(BEGIN)
        < text.index("5 images")
        < text.index(END)
        < text.index("And these.")
    )
    assert (place / "photo.jpg").is_file()
    assert (place / "more" / "notes.txt").is_file()
    pull_station(HUB, tmp_path / "pulled")
    assert len(read_station(tmp_path / "pulled").references.sources) == 5


def test_a_card_that_does_not_say_where_ours_ends_is_left_alone(station: Path, hub: HubServer) -> None:
    """What people wrote behind it would be gone."""
    hub.put("someone/line", {CARD: f"{BEGIN}\nours\n\nMy words.\n".encode()})
    with pytest.raises(UsageError, match=r"has the line <!-- oddlens: begin --> and no .* behind it: put one where"):
        push_station(station, HUB)
    assert not hub.commits


def test_a_repository_of_something_else_is_left_alone(station: Path, hub: HubServer) -> None:
    hub.put("someone/line", {"config.json": b"{}", CARD: b"# A model"})
    with pytest.raises(UsageError, match=r"someone/line holds something else \(config.json\): give one of its own"):
        push_station(station, HUB)
    assert hub.commits == []


@pytest.mark.parametrize("token", [None, "hf_another"])
def test_without_a_token_that_may_write_nothing_is_pushed_and_no_token_is_said(
    station: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, token: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    else:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ModelError, match=r"does not let you write to someone/line: set HF_TOKEN") as caught:
        push_station(station, HUB)
    assert token is None or token not in str(caught.value) + "".join(capfd.readouterr())
    assert hub.commits == []


def test_offline_nothing_is_asked_of_the_network(
    station: Path, tmp_path: Path, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"someone/line was not pushed because HF_HUB_OFFLINE is set"):
        push_station(station, HUB)
    with pytest.raises(ModelError, match=r"someone/line was not fetched because HF_HUB_OFFLINE is set"):
        pull_station(HUB, tmp_path / "pulled")
    push_station(station, str(tmp_path / "shared"))
    pull_station(str(tmp_path / "shared"), tmp_path / "pulled")
    assert hub_server.log == []


def test_a_download_that_broke_off_goes_on_and_leaves_nothing_until_it_is_whole(
    station: Path, tmp_path: Path, hub: HubServer
) -> None:
    push_station(station, HUB)
    hub.cut = 1 << 20
    with pytest.raises(ModelError, match=r"someone/line could not be fetched"):
        pull_station(HUB, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()
    hub.cut = None
    hub.log.clear()
    pull_station(HUB, tmp_path / "pulled")
    assert any(part not in ("", "bytes=0-") for _, _, part in hub.log)


def test_a_revision_can_be_named(station: Path, tmp_path: Path, hub: HubServer) -> None:
    push_station(station, HUB)
    (hub.folder / "main").rename(hub.folder / "v1")
    hub.put("someone/line", {CARD: b"empty"})
    pull_station(f"{HUB}@v1", tmp_path / "pulled")
    with pytest.raises(ModelError, match=r"someone/line holds nothing that oddlens shares"):
        pull_station(HUB, tmp_path / "other")
    with pytest.raises(ModelError, match=r"has no revision 'v2'"):
        pull_station(f"{HUB}@v2", tmp_path / "other")


def damage(shared: Path, how: str) -> None:
    """Change a folder that was pushed."""
    document = json.loads((shared / NAME).read_text())
    name = next(each for each in document["files"] if each.endswith(".safetensors"))
    path = shared / name
    if how == "a byte":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    elif how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "outside":
        document["files"]["../outside.json"] = document["files"][name]
    elif how == "pickle":
        (shared / "model.pkl").write_bytes(b"")
        document["files"]["model.pkl"] = {"sha256": "0", "bytes": 0}
    elif how == "form":
        document["files"] = [name]
    elif how == "later":
        document["format"] = 2
    (shared / NAME).write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("a byte", "is damaged, or not the file"),
        ("missing", "lacks files/"),
        ("cut", "is damaged, or not the file"),
        ("outside", "names the file ../outside.json, which is not taken"),
        ("pickle", "names the file model.pkl, which is not taken"),
        ("form", "its oddlens.json is missing or damaged"),
        ("later", "by a later version of oddlens"),
    ],
)
@pytest.mark.parametrize("way", ["folder", "hub"])
def test_what_is_not_whole_is_not_taken(
    station: Path, tmp_path: Path, how: str, said: str, way: str, request: pytest.FixtureRequest
) -> None:
    push_station(station, str(tmp_path / "shared"))
    damage(tmp_path / "shared", how)
    place = str(tmp_path / "shared")
    if way == "hub":
        hub, place = request.getfixturevalue("hub"), HUB
        files = [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
        hub.put("someone/line", {str(path.relative_to(tmp_path / "shared")): path.read_bytes() for path in files})
    with pytest.raises((ModelError, UsageError), match=said):
        pull_station(place, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()
    assert not list(tmp_path.glob(".*pulled*"))
    assert not (tmp_path.parent / "outside.json").exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere/there", "does not exist: check the path, or hf://nowhere/there for the repository"),
        ("hf://line", "is no repository: give hf://owner/name"),
        ("hf://a/b/c", "is no repository"),
        ("hf://a/b@", "is no repository"),
        (f"hf://a/b@{chr(0xDCFF)}", "is no repository"),
    ],
)
def test_a_place_that_is_none_is_a_sentence(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pull_station(place, tmp_path / "pulled")


def test_nothing_is_replaced(station: Path, tmp_path: Path) -> None:
    push_station(station, str(tmp_path / "shared"))
    with pytest.raises(UsageError, match=r"shared exists: give a new folder"):
        push_station(station, str(tmp_path / "shared"))
    with pytest.raises(UsageError, match=r"line exists: give a new folder"):
        pull_station(str(tmp_path / "shared"), station)
    with pytest.raises(UsageError, match=r"leave @v1 out"):
        push_station(station, f"{HUB}@v1")


def test_a_rolled_back_station_is_pushed_as_it_is_in_force(station: Path, tmp_path: Path) -> None:
    rollback(station, 1)
    push_station(station, str(tmp_path / "shared"))
    pull_station(str(tmp_path / "shared"), tmp_path / "pulled")
    assert read_station(tmp_path / "pulled").thresholds_in_force == read_station(station, 1).thresholds_in_force
    assert len(versions(tmp_path / "pulled")) == 1
    assert np.isfinite(read_station(tmp_path / "pulled").thresholds_in_force.image)
