"""Damage by what the formats of pictures are made of: chunks, segments, directories, boxes and headers with right checksums."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.fuzz.mutate import EXTREMES, mutate_bytes, zeros_deflated

# PNG -----------------------------------------------------------------------------------------------------------------


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _png_header(rng: random.Random, data: bytes) -> bytes:
    """Size, depth, colour type, interlacing that are not those of the pixels; the checksum is right."""
    chunks = _chunks(data)
    width, height, depth, colour, packed, filtered, laced = struct.unpack(">IIBBBBB", chunks[0][1])
    change = rng.randrange(4)
    if change == 0:
        width, height = _size(rng)
    elif change == 1:
        depth, colour = rng.choice((1, 2, 4, 8, 16, 0, 255)), rng.choice((0, 2, 3, 4, 6, 7))
    elif change == 2:
        laced = 1
    else:
        width = rng.choice((width * 2, width // 2, width + 1))
    return _png(
        [
            (
                b"IHDR",
                struct.pack(
                    ">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, depth, colour, packed, filtered, laced
                ),
            ),
            *chunks[1:],
        ]
    )


def _png_chunks(rng: random.Random, data: bytes) -> bytes:
    """Chunks swapped, doubled, dropped, renamed, or with other contents; the checksums are right."""
    chunks = _chunks(data)
    for _ in range(rng.choice((1, 2))):
        number = rng.randrange(len(chunks))
        change = rng.randrange(5)
        name, content = chunks[number]
        if change == 0:
            other = rng.randrange(len(chunks))
            chunks[number], chunks[other] = chunks[other], chunks[number]
        elif change == 1:
            chunks[number:number] = [chunks[number]] * rng.choice((1, 3, 300))
        elif change == 2 and len(chunks) > 1:
            del chunks[number]
        elif change == 3:
            chunks[number] = (
                rng.choice(
                    (
                        b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"tRNS", b"PLTE", b"gAMA", b"acTL", b"fcTL",
                        b"fdAT", b"IEND",
                    )
                ),
                content,
            )  # fmt: skip
        else:
            chunks[number] = name, mutate_bytes(rng, content)
    return _png(chunks)


def _png_bomb(rng: random.Random, data: bytes) -> bytes:
    """A chunk, or the pixels, that unpack to hundreds of megabytes."""
    chunks = _chunks(data)
    bomb = zeros_deflated(rng.choice((5, 100, 600)), wbits=15)
    name = rng.choice((b"zTXt", b"iTXt", b"iCCP", b"IDAT"))
    if name == b"IDAT":
        return _png([chunks[0], (b"IDAT", bomb), (b"IEND", b"")])
    content = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[name] + bomb
    return _png([chunks[0], (name, content), *chunks[1:]])


# JPEG ----------------------------------------------------------------------------------------------------------------


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    """(marker, content) up to the scan, which comes last with all that follows it."""
    found, at = [], 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if marker == 0xDA:
            found.append((marker, data[at + 4 :]))
            break
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def _jpeg(segments: list[tuple[int, bytes]]) -> bytes:
    parts = [b"\xff\xd8"]
    for marker, content in segments:
        length = 12 if marker == 0xDA else (2 + len(content)) & 0xFFFF
        parts.append(bytes((0xFF, marker)) + struct.pack(">H", length) + content)
    return b"".join(parts)


def _jpeg_segments(rng: random.Random, data: bytes) -> bytes:
    """Segments swapped, doubled, dropped, of another sort, or with other contents."""
    segments = _segments(data)
    number = rng.randrange(len(segments))
    marker, content = segments[number]
    change = rng.randrange(5)
    if change == 0:
        other = rng.randrange(len(segments))
        segments[number], segments[other] = segments[other], segments[number]
    elif change == 1:
        segments[number:number] = [segments[number]] * rng.choice((1, 20))
    elif change == 2:
        del segments[number]
    elif change == 3:
        segments[number] = (
            rng.choice((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xC4, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDA)),
            content,
        )
    else:
        segments[number] = marker, mutate_bytes(rng, content)
    return _jpeg(segments)


def _jpeg_size(rng: random.Random, data: bytes) -> bytes:
    """A frame of another size, depth or number of components than the scan's."""
    segments = _segments(data)
    for number, (marker, content) in enumerate(segments):
        if marker in (0xC0, 0xC2):
            width, height = _size(rng, limit=65535)
            depth = content[0] if rng.random() < 0.8 else rng.choice((0, 1, 12, 16))
            segments[number] = (
                marker,
                bytes((depth,)) + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + content[5:],
            )
    return _jpeg(segments)


def _jpeg_scans(rng: random.Random, data: bytes) -> bytes:
    """The scan again and again, as attacks on progressive decoders do; or cut, with the end mark put back."""
    segments = _segments(data)
    scan = segments[-1][1]
    if rng.random() < 0.5:
        cut = rng.randrange(len(scan))
        return _jpeg([*segments[:-1], (0xDA, scan[:cut])]) + b"\xff\xd9"
    return _jpeg([*segments[:-1], *[(0xDA, scan.removesuffix(b"\xff\xd9"))] * rng.choice((2, 50, 400))]) + b"\xff\xd9"


def _jpeg_exif(rng: random.Random, data: bytes) -> bytes:
    """EXIF data with an odd orientation, or damaged."""
    exif = Image.Exif()
    exif[0x0112] = rng.choice((0, 1, 3, 6, 8, 9, 255, 65535))
    content = exif.tobytes()
    if rng.random() < 0.6:
        content = content[:6] + mutate_bytes(rng, content[6:])
    return _jpeg([(0xE1, content[:65000]), *_segments(data)])


# TIFF ----------------------------------------------------------------------------------------------------------------


def _tiff_tags(rng: random.Random, data: bytes) -> bytes:
    """Entries of the directory with another tag, type, count or value."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    buffer = bytearray(data)
    (directory,) = struct.unpack(order + ("Q" if big else "I"), data[8:16] if big else data[4:8])
    (count,) = struct.unpack(order + ("Q" if big else "H"), data[directory : directory + (8 if big else 2)])
    first, size = directory + (8 if big else 2), 20 if big else 12
    for _ in range(rng.choice((1, 1, 2, 3))):
        entry = first + size * rng.randrange(count)
        part = rng.randrange(4)
        if part == 0:
            struct.pack_into(
                order + "H",
                buffer,
                entry,
                rng.choice(
                    (
                        254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 322, 324, 330, 338, 339,
                        34665, 0, 65535,
                    )
                ),
            )  # fmt: skip
        elif part == 1:
            struct.pack_into(order + "H", buffer, entry + 2, rng.choice((*range(19), 255, 65535)))
        elif part == 2:
            struct.pack_into(order + ("Q" if big else "I"), buffer, entry + 4, rng.choice(EXTREMES) & 0xFFFFFFFF)
        else:
            number = (
                rng.choice((rng.choice(EXTREMES), rng.randrange(40), rng.randrange(40) << 16, directory)) & 0xFFFFFFFF
            )
            struct.pack_into(order + "I", buffer, entry + size - (8 if big else 4), number)
    return bytes(buffer)


def _tiff_chain(rng: random.Random, data: bytes) -> bytes:
    """Very many directories, or directories that lead back to themselves."""
    count = rng.choice((2, 300, 4000, 60_000))
    entry = struct.pack("<HHII", 256, 3, 1, 8) + struct.pack("<HHII", 257, 3, 1, 8) + struct.pack("<HHII", 258, 3, 1, 8)
    entry += (
        struct.pack("<HHII", 259, 3, 1, 1) + struct.pack("<HHII", 262, 3, 1, 1) + struct.pack("<HHII", 273, 4, 1, 8)
    )
    entry += struct.pack("<HHII", 278, 3, 1, 8) + struct.pack("<HHII", 279, 4, 1, 64)
    size, start = 2 + len(entry) + 4, 8 + 64
    ring = rng.random() < 0.3
    last = start if ring else 0
    links = [start + size * number for number in range(1, count)] + [last]
    body = b"".join(struct.pack("<H", 8) + entry + struct.pack("<I", link) for link in links)
    return b"II*\0" + struct.pack("<I", start) + bytes(range(64)) + body


# The others ----------------------------------------------------------------------------------------------------------


def _bmp_header(rng: random.Random, data: bytes) -> bytes:
    """Fields of the header: offset, header's size, width, height, planes, bits, compression, colours."""
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 2))):
        at, code = rng.choice(
            ((10, "<I"), (14, "<I"), (18, "<i"), (22, "<i"), (26, "<H"), (28, "<H"), (30, "<I"), (34, "<I"), (46, "<I"))
        )
        number = rng.choice((*EXTREMES[:14], -1, -20, 3, 4, 16, 24, 32, 40, 64, 108, 124))
        size = struct.calcsize(code)
        buffer[at : at + size] = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return bytes(buffer)


def _gif_header(rng: random.Random, data: bytes) -> bytes:
    """Screen and frame of other sizes."""
    buffer = bytearray(data)
    at = rng.choice((6, max(6, data.find(b",", 13) + 5)))
    width, height = _size(rng, limit=65535)
    struct.pack_into("<HH", buffer, at, width & 0xFFFF, height & 0xFFFF)
    return bytes(buffer)


def _webp_chunks(rng: random.Random, data: bytes) -> bytes:
    """Lengths and names of chunks, and the canvas."""
    buffer = bytearray(data)
    at = 12
    while at + 8 <= len(data) and rng.random() < 0.6:
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        if at + 8 + length + (length & 1) + 8 > len(data):
            break
        at += 8 + length + (length & 1)
    if rng.random() < 0.4:
        struct.pack_into("<I", buffer, at + 4, rng.choice(EXTREMES) & 0xFFFFFFFF)
    elif rng.random() < 0.5:
        buffer[at : at + 4] = rng.choice(
            (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ", b"????")
        )
    else:
        body = bytes(buffer[at + 8 :])
        buffer[at + 8 :] = mutate_bytes(rng, body)
    return bytes(buffer)


def _ppm_header(rng: random.Random, data: bytes) -> bytes:
    """Another magic, size or highest value, comments, endless digits."""
    head, _, pixels = data.partition(b"\n")
    width, height = _size(rng)
    most = rng.choice((0, 1, 255, 256, 65535, 65536, 10**12, -1))
    between = rng.choice((b"\n", b" ", b"\t\r\n", b"\n# comment\n", b"\n#" + b"c" * 100_000 + b"\n"))
    digits = rng.choice((b"%d %d" % (width, height), b"1" * 5000 + b" 2", b"-3 4", b"0 0", b"24 20", b"x y", b"24"))
    magic = rng.choice((head[:2], b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF", b"P7", b"Py"))
    scale = rng.choice((b"%d" % most, b"nan", b"-1.0", b"1e999", b"0.0", b""))
    return magic + between + digits + b"\n" + scale + b"\n" + pixels


def _boxes(rng: random.Random, data: bytes) -> bytes:
    """The boxes of which JPEG 2000 and AVIF are made: swapped, doubled, dropped, of another sort or length, or damaged."""
    boxes, at = [], 0
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        end = at + length if length >= 8 else len(data)
        boxes.append(data[at:end])
        at = end
    number = rng.randrange(len(boxes))
    box = boxes[number]
    change = rng.randrange(6)
    if change == 0:
        other = rng.randrange(len(boxes))
        boxes[number], boxes[other] = boxes[other], box
    elif change == 1:
        boxes[number:number] = [box] * rng.choice((1, 200))
    elif change == 2:
        del boxes[number]
    elif change == 3:
        boxes[number] = struct.pack(">I", rng.choice(EXTREMES) & 0xFFFFFFFF) + box[4:]
    elif change == 4:
        boxes[number] = box[:4] + rng.choice((b"ftyp", b"meta", b"mdat", b"jp2h", b"jp2c", b"free", b"uuid")) + box[8:]
    else:
        content = mutate_bytes(rng, box[8:])
        boxes[number] = struct.pack(">I", 8 + len(content)) + box[4:8] + content
    return b"".join(boxes)


def _codestream(rng: random.Random, data: bytes) -> bytes:
    """A code stream of JPEG 2000 that claims another size, tiles, components or levels."""
    buffer = bytearray(data)
    start = data.index(b"\xff\x4f\xff\x51") + 6
    at, size = rng.choice(
        ((2, 4), (6, 4), (10, 4), (14, 4), (18, 4), (22, 4), (34, 2), (36, 1), (37, 1), (38, 1), (46, 1), (50, 1))
    )
    number = rng.choice((*EXTREMES[:14], 24, 20, 5000)) & ((1 << 8 * size) - 1)
    buffer[start + at : start + at + size] = number.to_bytes(size, "big")
    return bytes(buffer)


def _size(rng: random.Random, limit: int = 1 << 32) -> tuple[int, int]:
    """(width, height): tiny, other than it was, or absurd. Nothing between 30 and 128 megapixels, which is honest work."""
    return rng.choice(
        (
            (0, 0), (0, 20), (24, 0), (1, 1), (23, 20), (25, 21), (24, 4000), (4000, 24), (5000, 5000), (65535, 1),
            (1, 65535), (65535, 65535), (60000, 60000), (min(limit, 1 << 31) - 1, 1), (1, min(limit, 1 << 31) - 1),
            (min(limit, 1 << 32) - 1, min(limit, 1 << 32) - 1),
        ),
    )  # fmt: skip


Change = Callable[[random.Random, bytes], bytes]
CHANGES: dict[str, tuple[Change, ...]] = {
    "PNG": (_png_header, _png_header, _png_chunks, _png_chunks, _png_bomb),
    "JPEG2000": (_boxes, _boxes, _codestream),
    "AVIF": (_boxes,),
    "JPEG": (_jpeg_segments, _jpeg_segments, _jpeg_size, _jpeg_scans, _jpeg_exif),
    "TIFF": (_tiff_tags, _tiff_tags, _tiff_tags, _tiff_chain),
    "BMP": (_bmp_header,),
    "GIF": (_gif_header,),
    "WebP": (_webp_chunks,),
    "PPM": (_ppm_header,),
}
