"""Decoders keep quiet where they are told to, and nobody else is."""

import ctypes
import platform
import threading
import warnings

import cv2
import pytest
from PIL import Image

from oddlens.io.quiet import quiet_libraries, quiet_pillow


def test_pillow_warns_of_nothing_and_has_no_limit_until_it_is_over() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with quiet_pillow():
            warnings.warn("odd file", stacklevel=1)
            assert Image.MAX_IMAGE_PIXELS is None
        warnings.warn("still heard", stacklevel=1)
    assert [str(each.message) for each in heard] == ["still heard"]
    assert limit == Image.MAX_IMAGE_PIXELS


def test_pillows_limit_comes_back_after_a_failure() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match="damaged"), quiet_pillow():
        raise ValueError("damaged")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_opencv_logs_nothing_until_the_last_thread_is_done() -> None:
    logging = getattr(cv2.utils, "logging", cv2)  # in OpenCV 4 it lies at the top
    level = logging.getLogLevel()
    first, second = threading.Event(), threading.Event()

    def decode() -> None:
        with quiet_libraries():
            first.set()
            second.wait(30)

    thread = threading.Thread(target=decode)
    thread.start()
    assert first.wait(30)
    with quiet_libraries():
        pass
    assert logging.getLogLevel() == 0
    second.set()
    thread.join()
    assert level != 0
    assert logging.getLogLevel() == level


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the stream of C is exchanged with glibc only")
def test_c_prints_nowhere_and_python_prints_on(capfd: pytest.CaptureFixture[str]) -> None:
    import sys

    libc = ctypes.CDLL(None)

    def say(words: bytes) -> None:
        stream = ctypes.c_void_p.in_dll(libc, "stderr")
        libc.fputs(words, stream)
        libc.fflush(stream)

    with quiet_libraries():
        say(b"unheard\n")
        print("python", file=sys.stderr, flush=True)
    say(b"heard\n")
    assert capfd.readouterr().err == "python\nheard\n"
