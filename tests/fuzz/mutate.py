"""Damage of every sort: of bytes, of JSON, of tables, of tensors, and of the containers that hold them."""

from __future__ import annotations

import csv
import io
import json
import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tests.fuzz.hostile import hostile_text, hostile_value

EXTREMES = (
    0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62,
    (1 << 64) - 1,
)  # fmt: skip
"""Numbers that lengths, counts and offsets trip over."""


def mutate_json(rng: random.Random, value: Any) -> Any:
    """A copy of a JSON value with one to three of its places changed, emptied, renamed, doubled or taken away."""
    copy = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(copy))
        if not places:
            return hostile_value(rng)
        holder, key = rng.choice(places)
        action = rng.randrange(8)
        if action < 4:
            holder[key] = hostile_value(rng)
        elif action == 4:
            del holder[key]
        elif action == 5 and isinstance(holder, dict):
            holder[hostile_text(rng)] = holder.pop(key)
        elif action == 5:
            holder.extend([holder[key]] * rng.choice((1, 3, 1000)))
        elif action == 6:
            other, where = rng.choice(places)
            if where in (other if isinstance(other, dict) else range(len(other))) and key in (
                holder if isinstance(holder, dict) else range(len(holder))
            ):
                holder[key] = json.loads(json.dumps(other[where]))
        else:
            holder[key] = [holder[key]] if rng.random() < 0.5 else {"a": holder[key]}
    return copy


def json_bytes(rng: random.Random, value: Any) -> bytes:
    """A JSON value as bytes: mostly as it should be written, sometimes deeply nested, with double keys, or in another encoding."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 2)))
    oddity = rng.randrange(14)
    if oddity == 0:
        depth = rng.choice((50, 900, 5000, 100_000))
        nest = rng.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth))
        at = rng.choice([0, *(number for number, char in enumerate(text) if char in ":[,")])
        text = nest if at == 0 else text[: at + 1] + nest + rng.choice(("", text[at + 1 :]))
    elif oddity == 1 and isinstance(value, dict) and value:
        key = rng.choice(list(value))
        text = text[:-1].rstrip() + f", {json.dumps(key)}: {json.dumps(hostile_value(rng))}" + "}"
    elif oddity == 2:
        text = text.replace("}", rng.choice(("},", "}}", "", "} // comment")), 1)
    encoding = "utf-8" if rng.random() < 0.9 else rng.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"))
    data = text.encode(encoding, errors="surrogatepass" if encoding.startswith("utf") else "replace")
    return mutate_bytes(rng, data) if rng.random() < 0.1 else data


def table_bytes(rng: random.Random, rows: Sequence[Sequence[str]]) -> bytes:
    """A CSV file of these rows, the first of them its header, with cells and form changed."""
    table = [list(row) for row in rows]
    for _ in range(rng.randrange(4)):
        action, row = rng.randrange(8), rng.choice(table)
        if action < 3 and row:
            row[rng.randrange(len(row))] = hostile_text(rng)
        elif action == 3 and row:
            del row[rng.randrange(len(row))]
        elif action == 4:
            row.append(hostile_text(rng))
        elif action == 5 and len(table) > 1:
            del table[rng.randrange(len(table))]
        elif action == 6:
            table.extend([list(row)] * rng.choice((1, 50)))
        elif row:
            row[rng.randrange(len(row))] = rng.choice(
                ("y" * 200_000, 'quo"te', "line\nbreak", "\r", "1.0", "True", "0 ", "２")
            )
    text = io.StringIO()
    writer = csv.writer(text, delimiter=rng.choice(",,,,;\t|"), lineterminator=rng.choice(("\n", "\r\n", "\r")))
    writer.writerows(table)
    written = text.getvalue()
    if rng.random() < 0.1:
        written = written.replace('"', rng.choice(("", "'", '""')), 1)
    encoding = "utf-8" if rng.random() < 0.85 else rng.choice(("utf-8-sig", "utf-16", "latin-1"))
    data = written.encode(encoding, errors="surrogatepass" if encoding.startswith("utf") else "replace")
    return mutate_bytes(rng, data) if rng.random() < 0.15 else data


def mutate_bytes(rng: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Bytes with one to four sorts of damage, near the head more often than elsewhere."""
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        rng.choice(_BYTE_DAMAGES)(rng, buffer)
    if others and rng.random() < 0.1:
        other = rng.choice(others)
        buffer = buffer[: rng.randrange(len(buffer) + 1)] + other[rng.randrange(len(other) + 1) :]
    return bytes(buffer)


def mutate_tensors(rng: random.Random, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with one or two of them filled with what is not finite, of another shape or dtype, renamed or taken away."""
    changed = dict(tensors)
    for _ in range(rng.choice((1, 1, 2))):
        if not changed:
            break
        name = rng.choice(sorted(changed))
        action = rng.randrange(6)
        if action < 4:
            changed[name] = mutate_tensor(rng, changed[name])
        elif action == 4:
            del changed[name]
        else:
            value = changed.pop(name) if rng.random() < 0.5 else changed[name].clone()
            changed[hostile_text(rng).encode("utf-8", "replace").decode() or "a"] = value
    return changed


def mutate_tensor(rng: random.Random, value: Tensor) -> Tensor:
    """A tensor that is not what it was."""
    action = rng.randrange(14)
    if action < 5:
        return _refilled(rng, value)
    if action == 5:
        return value.flatten()
    if action == 6:
        return value[:0].clone() if value.ndim else value.reshape(1)
    if action == 7:
        return value[: max(1, len(value) // 2)].clone() if value.ndim else value.reshape(1, 1)
    if action == 8:
        return torch.cat([value, value]) if value.ndim else value.expand(3).clone()
    if action == 9:
        return value.transpose(0, -1).contiguous() if value.ndim > 1 else value.unsqueeze(0)
    if action == 10:
        return value[..., :-1].clone() if value.ndim else value.reshape(1)
    if action == 11:
        return value.unsqueeze(rng.randrange(value.ndim + 1)).clone()
    dtypes = (
        torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool,
        torch.complex64,
    )  # fmt: skip
    return value.to(rng.choice(dtypes))


def _refilled(rng: random.Random, value: Tensor) -> Tensor:
    """One, some or all numbers replaced, mostly by what is not finite."""
    filled = value.clone()
    flat = filled.reshape(-1)
    if not filled.is_floating_point() or not len(flat):
        return filled
    number = rng.choice((float("nan"), float("inf"), float("-inf"), 0.0, 1e38, -1e38, 1e-45))
    many = rng.choice((1, 1, 3, len(flat)))
    for place in [slice(None)] if many == len(flat) else [rng.randrange(len(flat)) for _ in range(many)]:
        flat[place] = number
    return filled


def mutate_safetensors(rng: random.Random, data: bytes) -> bytes:
    """A safetensors file with its header edited, its length wrong, or its bytes damaged."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + length], data[8 + length :]
    action = rng.randrange(6)
    if action == 0:
        return struct.pack("<Q", rng.choice(EXTREMES)) + header + body
    if action == 1:
        return mutate_bytes(rng, data)
    if action == 2:  # the body alone: what a bad disk does
        damaged = bytearray(body)
        for _ in range(rng.choice((1, 1, 8))):
            if damaged:
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        return data[: 8 + length] + bytes(damaged)
    edited = json.loads(header)
    if action == 3:
        edited = mutate_json(rng, edited)
    else:
        names = [name for name in edited if name != "__metadata__"]
        entry = edited[rng.choice(names)] if names else {}
        change = rng.randrange(5)
        if change == 0:
            entry["dtype"] = rng.choice(("F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "X", 3))
        elif change == 1:
            entry["shape"] = rng.choice(
                ([], [0], [-1], [1 << 40, 1 << 40], [*reversed(entry.get("shape", []))], entry.get("shape", [])[:1])
            )
        elif change == 2:
            entry["data_offsets"] = rng.choice(([0, 0], [0, 1 << 62], [8, 4], [-4, 4], "x", [1, len(body)]))
        elif change == 3 and len(names) > 1:
            entry["data_offsets"] = edited[rng.choice(names)]["data_offsets"]
        else:
            edited["__metadata__"] = rng.choice(({"oddlens": "x"}, {"a": 1}, [], "x", {"oddlens": "[" * 5000}))
    written = json_bytes(rng, edited) if rng.random() < 0.2 else json.dumps(edited).encode()
    return struct.pack("<Q", len(written)) + written + body


def zeros_deflated(megabytes: int, wbits: int = -15) -> bytes:
    """So many megabytes of zeros as one deflate stream (raw, or zlib with wbits 15): a thousandth of their size, made at once."""
    block = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + again * (megabytes - 1) + packer.flush()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) below a value, to a fair number."""
    places: list[tuple[Any, Any]] = []
    rest = [value]
    while rest and len(places) < 3000:
        holder = rest.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            places.append((holder, key))
            rest.append(holder[key])
    return places


def _place(rng: random.Random, buffer: bytearray) -> int:
    """Somewhere in the buffer, the head more often than the rest."""
    return min(rng.randrange(64), len(buffer)) if rng.random() < 0.4 else rng.randrange(len(buffer) + 1)


def _flip(rng: random.Random, buffer: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 4, 32))):
        if (at := _place(rng, buffer)) < len(buffer):
            buffer[at] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, buffer: bytearray) -> None:
    at, size = _place(rng, buffer), rng.choice((1, 2, 4, 8, 100))
    buffer[at : at + size] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))[: len(buffer) - at]


def _number(rng: random.Random, buffer: bytearray) -> None:
    at, size = _place(rng, buffer), rng.choice((1, 2, 2, 4, 4, 8))
    number = (rng.choice(EXTREMES) & ((1 << 8 * size) - 1)).to_bytes(size, rng.choice(("little", "big")))
    buffer[at : at + size] = number[: len(buffer) - at]


def _truncate(rng: random.Random, buffer: bytearray) -> None:
    del buffer[_place(rng, buffer) :]


def _delete(rng: random.Random, buffer: bytearray) -> None:
    at = _place(rng, buffer)
    del buffer[at : at + rng.choice((1, 2, 16, 1000))]


def _insert(rng: random.Random, buffer: bytearray) -> None:
    at = _place(rng, buffer)
    buffer[at:at] = rng.choice((rng.randbytes(rng.randrange(1, 64)), bytes(1000), b"\n", b"\xef\xbb\xbf"))


def _double(rng: random.Random, buffer: bytearray) -> None:
    at, size = _place(rng, buffer), rng.choice((4, 64, 1000))
    buffer[at:at] = buffer[at : at + size] * rng.choice((1, 1, 20))


def _swap(rng: random.Random, buffer: bytearray) -> None:
    first, second = sorted((_place(rng, buffer), _place(rng, buffer)))
    size = min(rng.choice((1, 8, 200)), second - first)
    buffer[first : first + size], buffer[second : second + size] = (
        buffer[second : second + size],
        buffer[first : first + size],
    )


def _empty(rng: random.Random, buffer: bytearray) -> None:
    if rng.random() < 0.3:
        buffer.clear()
    else:
        buffer.extend(rng.randbytes(rng.choice((1, 100, 5000))))


_BYTE_DAMAGES = (_flip, _flip, _overwrite, _number, _number, _truncate, _delete, _insert, _double, _swap, _empty)
