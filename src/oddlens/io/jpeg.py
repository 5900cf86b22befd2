"""JPEG files -> pixels, and only where all of their data are there.

A JPEG decoder never fails for want of data: it paints the rest grey and warns. Pillow drops the warnings, and most of them are
harmless. Here the decoder gets the data up to each place where they must be complete (a restart marker, the end of a scan), and
there a few bytes that mean nothing. A decoder that is done skips them; one that needs more data keeps them for the block that it
cannot finish. This takes one pass, and no whole file is refused: between complete data and
the next marker nothing has a meaning.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

from oddlens.io.pixels import Doubt, UnreadableError

_MARKER = re.compile(rb"\xff[^\x00\xff]")  # in the data of a scan, FF 00 stands for the byte FF
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), (0xC2,)  # the frames with Huffman codes
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_RESTART, _START, _END, _SCAN = 0xD0, 0xD8, 0xD9, 0xDA
_ALONE = {0x01, *range(_RESTART, _START + 1)}  # markers without a segment
_COEFFICIENTS = 64

# Bytes of ones, with which no Huffman code begins. libjpeg reads up to 8 bytes ahead, and then never takes a single one more.
_ONE = b"\xff\0"
_AHEAD = 8 * _ONE
_HEADERS, _MOST_PER_PIXEL = 2**26, 16  # bytes: more than any image takes
_SPARE = 16
"""So many bytes without use at the end of a scan are no accident of an encoder."""


def load(image: JpegImageFile, notes: list[str]) -> None:
    """Decode an image as its own `load` does; remarks on the image are appended to `notes`.

    Raises:
        UnreadableError: Data are missing; the sentence says where.
        OSError: the decoder cannot go on.
    """
    data = _read(image)
    file = _File(data)
    if file.frame not in (*_SEQUENTIAL, *_PROGRESSIVE):
        image.load()  # arithmetic codes may leave out their end, and lossless JPEGs are hardly ever met
        return
    image.load_prepare()
    decoder = _Decoder(image, image)
    fed, spare = 0, False
    for start, end, restarts in file.scan_data():
        for number, place in enumerate(restarts):
            whole = decoder.completes(data[fed:place])
            if not (decoder.finished or (whole and data[place + 1] == _restart(number))):
                raise _missing(image, file, data[:place])
            fed = place
        if end - _SPARE > max(start, fed):
            tail = data[end - _SPARE : end]
            done = decoder.feed(memoryview(data)[fed : end - _SPARE])
            spare |= decoder.feed(tail[:1]) and done and tail != tail[:1] * _SPARE  # the same byte all over is padding
            fed = end - _SPARE + 1
        whole = decoder.completes(data[fed:end])
        if decoder.finished:
            break
        # A scan that lacks its last restart intervals waits for this marker; one that is complete skips it.
        if not (whole and file.has_several_scans and decoder.completes(bytes((0xFF, _restart(len(restarts)))))):
            raise _missing(image, file, data[:end])
        fed = end
    else:  # scans that complete each other are drawn at the end mark
        complete = file.is_complete()
        if not file.has_several_scans or not (complete or (file.frame in _PROGRESSIVE and file.ends)):
            raise _missing(image, file, data)
        if not complete:
            notes.append(Doubt("its data leave out the finest details"))
        decoder.feed(bytes((0xFF, _END)))
    if spare:
        notes.append(Doubt("its data hold more than its pixels need, so that it may be damaged"))
    image.tile = []


def _restart(number: int) -> int:
    """The marker behind the restart interval of a scan with this number."""
    return _RESTART + number % 8


def _read(image: JpegImageFile) -> bytes:
    """The data of an image and what follows them, up to a length that no image takes."""
    assert image.fp is not None
    width, height = image.size
    offset, most = image.tile[0].offset, _HEADERS + _MOST_PER_PIXEL * width * height
    length = image.fp.seek(0, os.SEEK_END) - offset
    image.fp.seek(offset)
    return image.fp.read(min(length, most))


class _Decoder:
    """libjpeg by way of Pillow. It takes data in pieces and draws on a canvas of the image's mode and size."""

    def __init__(self, image: JpegImageFile, canvas: Image.Image) -> None:
        _, extents, _, options = image.tile[0]
        self._decoder = Image._getdecoder(image.mode, "jpeg", options, image.decoderconfig)
        self._decoder.setimage(canvas.im, extents)
        self._rest = b""
        self.finished = False

    def feed(self, data: bytes | memoryview) -> bool:
        """Decode as much as these data allow. Whether all of them were taken, or the image is finished."""
        if self.finished:
            return True
        if self._rest:
            data = self._rest + bytes(data)
        taken, error = self._decoder.decode(data)
        if error < 0:
            raise OSError("broken data stream")
        self.finished = taken < 0
        self._rest = b"" if taken == len(data) else bytes(data[taken:])
        return self.finished or not self._rest

    def completes(self, data: bytes) -> bool:
        """Decode data behind which the file has a marker. Whether nothing is missing before it."""
        return self.feed(data + _AHEAD) and self.feed(_ONE)


class _Scan(NamedTuple):
    """What a scan brings: of which components which coefficients, and how many of their low bits it leaves to later scans."""

    components: bytes
    first: int
    last: int
    low_bits: int


class _File:
    """What the markers of a file say, as far as the data of its scans were asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._markers = [found.start() for found in _MARKER.finditer(data)]
        self._place = 2
        self.frame: int | None = None
        self.components = b""
        self.scans: list[_Scan] = []
        self.ends = False
        """Whether the end mark was met."""
        self._in_scan = self._read_headers()

    @property
    def has_several_scans(self) -> bool:
        return self.frame in _PROGRESSIVE or any(len(scan.components) < len(self.components) for scan in self.scans)

    def is_complete(self) -> bool:
        """Whether the scans so far bring every bit of every coefficient."""
        for component in self.components:
            low_bits: list[int | None] = [None] * _COEFFICIENTS
            for scan in self.scans:
                if component in scan.components:
                    low_bits[scan.first : scan.last + 1] = [scan.low_bits] * (scan.last + 1 - scan.first)
            if low_bits != [0] * _COEFFICIENTS:
                return False
        return True

    def scan_data(self) -> Iterator[tuple[int, int, list[int]]]:
        """Where the data of each scan begin and end, in order, and where restart markers stand in them."""
        while self._in_scan:
            first = last = bisect_left(self._markers, self._place)
            while last < len(self._markers) and _RESTART <= self._data[self._markers[last] + 1] < _START:
                last += 1
            start, self._place = self._place, self._markers[last] if last < len(self._markers) else len(self._data)
            yield start, self._place, self._markers[first:last]
            self._in_scan = self._read_headers()

    def _read_headers(self) -> bool:
        """Read on to the data of the next scan. Whether there is one."""
        while (number := bisect_left(self._markers, self._place)) < len(self._markers):
            start = self._markers[number] + 2
            marker = self._data[start - 1]
            if marker == _END:
                self.ends = True
                return False
            if marker in _ALONE:
                self._place = start
                continue
            self._place = start + max(2, int.from_bytes(self._data[start : start + 2]))
            header = self._data[start + 2 : self._place]
            if marker in _FRAMES:
                self.frame = marker
                self.components = header[6::3]
            elif marker == _SCAN:
                self.scans.append(self._scan(header))
                return True
        return False

    def _scan(self, header: bytes) -> _Scan:
        count = header[0] if header else 0
        components = header[1 : 1 + 2 * count : 2]
        first, last, bits = header[1 + 2 * count : 4 + 2 * count].ljust(3, b"\0")
        return _Scan(components, first, last, bits & 15) if self.frame in _PROGRESSIVE else _Scan(components, 0, 63, 0)


def _missing(image: JpegImageFile, file: _File, data: bytes) -> UnreadableError:
    """The refusal of a file whose data are whole at most up to the end of `data`."""
    if file.has_several_scans:
        place = f"data are missing in or after its scan {len(file.scans)}"
    else:
        place = f"data are missing at or above row {_drawn_rows(image, data)} of {image.size[1]}"
    return UnreadableError(f"is damaged or cut short ({place}): save or copy it again")


def _drawn_rows(image: JpegImageFile, data: bytes) -> int:
    """How many rows the decoder draws with these data: those that do not show the canvas."""
    black, white = (Image.new(image.mode, image.size, (value,) * len(image.getbands())) for value in (0, 255))
    for canvas in (black, white):
        _Decoder(image, canvas).feed(data)
    undrawn = ImageChops.difference(black, white).getbbox()
    return image.size[1] if undrawn is None else undrawn[1]
