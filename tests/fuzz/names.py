"""Kind "names": names of objects, files, folders, models and options, in every script and of every length."""

from __future__ import annotations

import os
import random
import re
from contextlib import suppress
from pathlib import Path

import oddlens
from oddlens.data import open_dataset
from oddlens.errors import OddlensError
from oddlens.io.images import read_image
from tests.data.small_sets import mvtec
from tests.fuzz.case import Case, Wrong, check_detections, check_outcomes
from tests.fuzz.hostile import hostile_text
from tests.fuzz.program import check_error, program, records
from tests.fuzz.world import World, inside


def make(rng: random.Random, world: World, scratch: Path) -> Case:
    """A name in one of the places where names are given."""
    work = scratch / "a" / "b" / "work"
    work.mkdir(parents=True)
    return rng.choice(
        (_object, _object, _file, _file, _file, _path, _path, _path, _program, _program, _program, _program)
    )(rng, world, work)


def _object(rng: random.Random, world: World, work: Path) -> Case:
    """What is on the pictures."""
    name = hostile_text(rng)
    method = rng.choice(("winclip", "anomalyclip", "vl4ad", "vl4ad", "vl4ad"))
    references = method == "winclip" and rng.random() < 0.5
    words = rng.random() < 0.5
    first, second = hostile_text(rng), hostile_text(rng)

    def run() -> None:
        if method == "vl4ad" and words:
            changes = rng.choice(
                (
                    {"ood": name},
                    {"ood": [name, first]},
                    {"classes": {name: [first], "b": [second]}},
                    {"merge": {name: ["road", first]}},
                    {"templates": [name]},
                    {"templates": [name + "{}"]},
                )
            )
            detector = world.detector(method)
            check_detections(detector.predict(detector.encode(world.pictures[:1]), "part", **changes), 1)
            return
        detections = world.fresh(method) if method == "anomalyclip" else world.detector(method, references)
        check_detections(detections.detect(world.pictures[:1], name), 1)

    return Case(f"object {name!r:.100} by {method}" + (f", words with {first!r:.60}" if words else ""), run)


def _file(rng: random.Random, world: World, work: Path) -> Case:
    """Files and folders of odd names among pictures: found, run and written about; a good picture among them is scored."""
    pictures = work / "pictures"
    pictures.mkdir()
    made = [_created(rng, world, pictures) for _ in range(rng.choice((1, 2, 4)))]
    (pictures / "plain.png").write_bytes(world.png)
    out = rng.choice(("out", "out", "pictures/out", "pictures/overlays", os.fsdecode(_possible(hostile_text(rng)))))
    call = ["detect", "pictures", "--model", world.model, "--json", "--out", f"./{out}"]
    call += rng.choice(([], [], ["--reference", "pictures/plain.png"]))

    def run() -> None:
        done = program(work, *call)
        if done.code == 2:
            raise Wrong(f"one odd name stops the whole run: {done.err[-300:]}")
        told = records(work / out / "results.jsonl")
        if not any(record["path"].endswith("plain.png") and "score" in record for record in told):
            raise Wrong("a good picture is not scored")
        for record in told:
            check_error(record)
        for key in ("overlay", "map"):
            drawn = [record[key] for record in told if record.get(key)]
            if len(drawn) != len(set(drawn)):
                raise Wrong(f"two pictures share a drawing: {sorted(drawn)}")

    return Case(f"files {made!r:.200}, out {out!r}", run)


def _possible(name: str) -> bytes:
    """The name as a file's: without slash and null, at most 255 bytes."""
    data = name.encode(
        "utf-8",
        "surrogateescape"
        if all(0xDC80 <= ord(c) <= 0xDCFF or not 0xD800 <= ord(c) <= 0xDFFF for c in name)
        else "replace",
    )
    return data.replace(b"/", b"_").replace(b"\0", b"_")[:250] or b"x"


def _created(rng: random.Random, world: World, work: Path) -> str:
    """One file, folder or link of an odd name, holding a picture or nothing."""
    name = os.fsdecode(
        _possible(hostile_text(rng))
        + rng.choice((b".png", b".png", b".jpg", b".PNG", b"", b".mp4", b".avif", b"_mask.png"))
    )
    path = work / name
    form = rng.randrange(9)
    with suppress(OSError, ValueError):
        if form < 4:
            path.write_bytes(world.png)
        elif form == 4:
            path.mkdir()
            (path / "inner.png").write_bytes(world.png)
        elif form == 5:
            path.write_bytes(b"")
        elif form == 6:
            path.symlink_to(rng.choice(("plain.png", "nowhere", ".", "..", name, "/dev/zero")))
        elif form == 7:
            path.mkdir(mode=0)
        else:
            path.write_bytes(world.png)
            path.with_name(name.upper()[:200]).write_bytes(world.png)
    return f"{name} ({form})"


def _path(rng: random.Random, world: World, work: Path) -> Case:
    """A name where Python takes a path, a model, a method, a device, a layout."""
    name = hostile_text(rng)
    place = rng.choice(
        (
            "read", "each", "each", "detect", "add_references", "model", "method", "weights", "device", "station",
            "dataset", "layout", "save", "named folders", "recipe",
        )
    )  # fmt: skip
    mvtec(work)
    (work / "plain.png").write_bytes(world.png)

    def run() -> None:
        with inside(work):
            if place == "read":
                read_image(name)
            elif place == "each":
                check_outcomes(world.detector("winclip").detect_each([name, "plain.png"]))
            elif place == "detect":
                check_detections(world.detector("winclip").detect(name))
            elif place == "add_references":
                world.fresh("winclip").add_references([name])
            elif place == "model":
                oddlens.load("winclip", name, device="cpu")
            elif place == "method":
                oddlens.load(name, world.model)
            elif place == "weights":
                oddlens.load(rng.choice(("april-gan", "anomalyclip")), world.model, name, "cpu")
            elif place == "device":
                oddlens.load("winclip", world.model, device=name)
            elif place == "station":
                oddlens.open_station(name, "cpu")
            elif place == "dataset":
                open_dataset(name)
            elif place == "layout":
                open_dataset(work, name)
            elif place == "named folders":
                open_dataset(work, normal_dir=name, abnormal_dir="bottle", mask_dir=rng.choice((None, name)))
            elif place == "recipe":
                oddlens.load(rng.choice(("anovl", "anomalyclip", "winclip")), world.model, recipe=name)
            elif _stays(name):
                world.detector("winclip").save(name)
                oddlens.open_station(name, "cpu")

    return Case(f"{place} {name!r:.150}", run)


def _stays(name: str) -> bool:
    """Whether what is written under this name stays within the scratch folder."""
    return not name.startswith(("/", "~")) and name.count("..") < 3


def _as_argument(name: str) -> str:
    """The name as a program gets it: bytes that are no UTF-8 arrive as low surrogates, and no other surrogate can arrive."""
    return re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", name)


def _program(rng: random.Random, world: World, work: Path) -> Case:
    """A name on the command line."""
    name = hostile_text(rng).replace("\0", "0")
    name = _as_argument(name)
    (work / "plain.png").write_bytes(world.png)
    target = name if _stays(name) else "out"
    detect = ["detect", "plain.png", "--model", str(world.model)]
    words = rng.choice(
        (
            ["detect", name, "--model", str(world.model)],
            ["detect", "plain.png", name, "--model", str(world.model), "--json"],
            [*detect, "--object", name, "--json"],
            [*detect, "--out", target],
            [*detect, "--reference", name],
            [*detect, "--set", name],
            [*detect, "--set", f"temperature={name}", "--json"],
            [*detect, "--set", f"{name}=1"],
            [*detect, "--threshold", name, "--json"],
            [*detect, "--pixel-threshold", name],
            [*detect, "--threshold", f"0.5,{name}"],
            [*detect, "--write", name, "--out", target],
            [*detect, "--set", f"max_megapixels={name}", "--json"],
            [*detect, f"--{name}", "1"],
            ["methods", name],
            [*detect, "--method", name],
            [*detect, "--device", name],
            [*detect, "--every", name],
            [*detect, "--smooth", name],
            ["detect", "plain.png", "--model", name],
            ["detect", "plain.png", "--station", name],
            ["detect", "plain.png", "--method", "april-gan", "--weights", name, "--model", str(world.model)],
            [
                "detect", "plain.png", "--method", "vl4ad", "--model", str(world.model), "--ood", name, "--set",
                "image_size=40", "--set", "short_side=40",
            ],
            ["detect", "plain.png", "--method", "vl4ad", "--model", str(world.model), "--classes", name],
            ["detect", "plain.png", "--method", "vl4ad", "--model", str(world.model), "--merge", name],
            ["data", "check", name],
            ["data", "check", ".", "--layout", name, "--json"],
            ["data", "manifest", ".", "--out", target],
            ["weights", "show", name],
            ["weights", "show", str(world.learned["april-gan"]), "--json"],
            ["benchmark", "--data", name, "--out", "out"],
            ["benchmark", "--data", ".", "--shots", name, "--out", "out", "--model", str(world.model)],
            ["benchmark", "--data", ".", "--picks", name, "--out", "out", "--model", str(world.model)],
            ["train", "april-gan", "--data", name, "--out", "weights.safetensors", "--model", str(world.model)],
            [name],
            ["models", name],
        )
    )  # fmt: skip

    def run() -> None:
        if program(work, *words).code:
            raise OddlensError("the program ended with a sentence: it was judged where the program was called")

    return Case(f"oddlens {' '.join(words)!r:.250}", run)
