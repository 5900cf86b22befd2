"""Images read ahead by threads: in order, in bounded memory, with a failure for each bad one."""

import io
import os
import threading
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.errors import Failure, ImageError
from oddlens.io.images import Picture
from oddlens.io.inputs import Input, each_input, is_live
from oddlens.io.loader import load, load_each
from tests.noise import write_pictures

SIDE = 10
PIXELS = SIDE * SIDE
PATIENCE = 10.0
"""Seconds that a test waits for what must happen."""


def whole(picture: Picture) -> Picture:
    return picture


def picture(name: str) -> Picture:
    return Picture(np.zeros((SIDE, SIDE, 3), np.uint8), name)


class Source:
    """Images by number; it knows which are being read, and since when nobody took them."""

    def __init__(self, bad: tuple[int, ...] = (), in_order: bool = False) -> None:
        self.read: list[int] = []
        self.threads: set[int] = set()
        self.taken = 0
        self.most_held = 0
        self._bad = bad
        self._in_order = in_order
        self._lock = threading.Lock()

    def inputs(self, numbers: Iterator[int] | range) -> Iterator[Input]:
        for number in numbers:
            yield Input(str(number), lambda number=number: self._read(number), self._in_order)  # type: ignore[misc]

    def _read(self, number: int) -> Picture:
        with self._lock:
            self.read.append(number)
            self.threads.add(threading.get_ident())
            self.most_held = max(self.most_held, len(self.read) - self.taken)
        if number in self._bad:
            raise ImageError(f"{number} is bad")
        return picture(str(number))


class Frame(os.PathLike[str]):
    """What is called as a file and reads itself, as a frame of a video does."""

    def __fspath__(self) -> str:
        """What it is called."""
        return "drive.mp4#000001"

    def read(self) -> Picture:
        """The picture."""
        return picture(os.fspath(self))


def reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("oddlens-read")]


def wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


class TestOrder:
    @pytest.mark.parametrize("threads", [1, 4])
    def test_images_come_in_the_order_of_the_inputs(self, threads: int) -> None:
        found = load(Source().inputs(range(50)), whole, threads=threads)
        assert [each.source for each in found] == [str(number) for number in range(50)]

    def test_files_are_read_as_one_by_one(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path, 9)
        for found, each in zip(load(each_input(paths), whole), each_input(paths), strict=True):
            assert np.array_equal(found.pixels, each.read().pixels)
            assert found.source == each.source

    def test_nothing_gives_nothing(self) -> None:
        assert list(load(iter(()), whole)) == []

    def test_a_slow_image_holds_up_those_behind_it_and_nothing_else(self) -> None:
        go_on = threading.Event()

        def slow() -> Picture:
            wait_for(go_on)
            return picture("slow")

        def last() -> Picture:
            go_on.set()  # the slow one is waited for; this one is read all the same
            return picture("last")

        inputs = [Input("first", lambda: picture("first")), Input("slow", slow), Input("last", last)]
        assert [each.source for each in load(inputs, whole, threads=2)] == ["first", "slow", "last"]

    def test_what_must_be_read_in_order_is_read_by_one_thread_beside_the_others(self) -> None:
        frames, files = Source(in_order=True), Source()
        inputs = [each for pair in zip(frames.inputs(range(30)), files.inputs(range(30)), strict=True) for each in pair]
        assert len(list(load(inputs, whole, threads=4))) == 60
        assert frames.read == list(range(30))
        assert len(frames.threads) == 1
        assert not frames.threads & files.threads


class TestFailures:
    def test_each_has_its_place(self) -> None:
        found = list(load_each(Source(bad=(0, 3)).inputs(range(5)), whole))
        assert found[0] == Failure("0", "0 is bad")
        assert found[3] == Failure("3", "3 is bad")
        assert [isinstance(each, Failure) for each in found] == [True, False, False, True, False]

    def test_bad_images_alone_are_failures_alone(self) -> None:
        assert len(list(load_each(Source(bad=tuple(range(40))).inputs(range(40)), whole))) == 40

    def test_what_cannot_be_prepared_is_one(self) -> None:
        def refuse(_: Picture) -> Picture:
            raise ImageError("too long")

        assert list(load_each(Source().inputs(range(2)), refuse)) == [
            Failure("0", "too long"),
            Failure("1", "too long"),
        ]

    def test_without_places_for_them_the_first_one_is_raised_in_its_turn(self) -> None:
        found = load(Source(bad=(2, 3)).inputs(range(5)), whole)
        assert [next(found).source, next(found).source] == ["0", "1"]
        with pytest.raises(ImageError, match="2 is bad"):
            next(found)
        assert reading_threads() == []

    @pytest.mark.parametrize("kind", [RuntimeError, MemoryError, KeyboardInterrupt])
    def test_an_error_of_ours_in_a_thread_is_never_lost(self, kind: type[BaseException]) -> None:
        def broken(each: Picture) -> Picture:
            if each.source == "1":
                raise kind("of a thread")
            return each

        found = load_each(Source().inputs(range(5)), broken)
        next(found)
        with pytest.raises(kind, match="of a thread"):
            next(found)
        assert reading_threads() == []

    def test_an_error_of_the_inputs_comes_when_they_are_walked(self) -> None:
        def broken() -> Iterator[Input]:
            yield from Source().inputs(range(2))
            raise RuntimeError("of the inputs")

        with pytest.raises(RuntimeError, match="of the inputs"):
            list(load(broken(), whole))
        assert reading_threads() == []


class TestBounds:
    def test_no_more_pixels_are_held_than_allowed(self) -> None:
        source = Source()
        for _ in load(source.inputs(range(60)), whole, max_pixels=5 * PIXELS, threads=4):
            assert source.most_held <= 5 + 1  # and the one that was given
            source.taken += 1
        assert len(source.read) == 60

    def test_an_image_beyond_all_bounds_is_read_alone(self) -> None:
        source = Source()
        for _ in load(source.inputs(range(9)), whole, max_pixels=1, threads=4):
            assert source.most_held <= 1
            source.taken += 1
        assert len(source.read) == 9

    def test_the_first_image_is_read_alone_for_its_size_is_not_known(self) -> None:
        started, go_on = threading.Event(), threading.Event()
        begun: list[str] = []

        def read(name: str) -> Picture:
            begun.append(name)
            started.set()
            wait_for(go_on)
            return picture(name)

        inputs = [Input(name, lambda name=name: read(name)) for name in "abc"]  # type: ignore[misc]
        found: list[str] = []
        walking = threading.Thread(target=lambda: found.extend(each.source for each in load(inputs, whole, threads=3)))
        walking.start()
        wait_for(started)
        assert begun == ["a"]
        go_on.set()
        walking.join(PATIENCE)
        assert found == ["a", "b", "c"]

    def test_what_is_prepared_counts_as_what_it_became(self) -> None:
        def small(each: Picture) -> Picture:
            return Picture(each.pixels[:1, :1], each.source)

        source = Source()
        found = load(source.inputs(range(100)), small, ahead=30, max_pixels=4 * PIXELS, threads=1)
        for _ in found:
            source.taken += 1
            time.sleep(0.001)
        assert source.most_held > 10  # of which four would fit as they were

    def test_so_many_are_begun_ahead_and_no_more(self) -> None:
        asked: list[int] = []

        def numbers() -> Iterator[int]:
            for number in range(100):
                asked.append(number)
                yield number

        found = load(Source().inputs(numbers()), whole, ahead=5)
        for number in range(20):
            next(found)
            assert len(asked) <= number + 1 + 5
        found.close()

    def test_with_nothing_ahead_a_group_is_taken_when_it_is_needed_and_no_more(self) -> None:
        """A camera's next image is not there yet."""
        asked: list[int] = []

        def camera() -> Iterator[int]:
            for number in count():
                asked.append(number)
                yield number

        found = load(Source().inputs(camera()), whole, ahead=0, group=3)
        assert asked == []
        for groups in range(1, 4):
            for _ in range(3):
                next(found)
            assert len(asked) == 3 * groups
        found.close()


class TestEnding:
    def test_endless_inputs_work(self) -> None:
        found = load(Source().inputs(count()), whole)
        assert [each.source for each in islice(found, 100)] == [str(number) for number in range(100)]
        found.close()
        assert reading_threads() == []

    def test_no_thread_is_left_behind(self) -> None:
        list(load(Source().inputs(range(20)), whole))
        assert reading_threads() == []

    def test_nor_where_the_caller_stops(self) -> None:
        source = Source()
        found = load_each(source.inputs(range(1000)), whole)
        next(found)
        found.close()
        assert reading_threads() == []
        assert len(source.read) < 100

    def test_nor_where_the_caller_forgets_it(self) -> None:
        found = load(Source().inputs(range(1000)), whole)
        next(found)
        del found
        assert reading_threads() == []


def test_what_comes_one_by_one_is_live(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert is_live(iter([pixels]))
    assert is_live(pixels for _ in count())
    for there in ([pixels], (pixels,), tmp_path, str(tmp_path), pixels, b"", Picture(pixels, "")):
        assert not is_live(there)


def test_pillow_images_and_open_files_are_read_in_order_and_files_are_not(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, 1)
    images = [path, path.read_bytes(), np.zeros((4, 4, 3), np.uint8), Image.open(path), io.BytesIO(path.read_bytes())]
    assert [each.in_order for each in each_input(images)] == [False, False, False, True, True]
    assert next(each_input([Frame()])).in_order
    shared = Image.open(path)
    assert len(list(load(each_input([shared] * 20), whole, threads=4))) == 20
