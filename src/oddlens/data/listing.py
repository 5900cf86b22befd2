"""Listings: files that name images. Their readers share this: text, JSON, tables, paths as others write them."""

import codecs
import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from oddlens.data.problem import Loss, Problem
from oddlens.data.record import Record
from oddlens.errors import DataError
from oddlens.io.paths import is_dir, is_file, read_bytes, why_absent
from oddlens.io.strict_json import parse_json

SEPARATORS = ",;\t"
UNICODE_FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, with or without a byte order mark, or UTF-16 with one.

    Raises:
        DataError: The file cannot be read, or has another encoding.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check that it is there and may be read") from error
    try:
        is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: save it as such") from error


def read_json(path: Path) -> object:
    """The value in a JSON file.

    Raises:
        DataError: The file cannot be read, or holds no JSON.
    """
    try:
        content: object = parse_json(read_text(path))
    except ValueError as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): correct it or make it again") from error
    return content


def read_table(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, as (line number, {column: cell}).

    Cells are separated by whichever of comma, semicolon and tab the header has most of. Columns are in lower case, spaces around
    cells are stripped, missing cells are "".

    Raises:
        DataError: The file cannot be read, is not text, or no CSV.
    """
    text = read_text(path)
    header = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    reader = csv.DictReader(
        io.StringIO(text, newline=""), restkey="", restval="", delimiter=separator, skipinitialspace=True
    )
    try:
        return [
            (reader.line_num, {key.strip().casefold(): str(cell).strip() for key, cell in row.items()})
            for row in reader
        ]
    except csv.Error as error:
        raise DataError(f"{path} is not readable as CSV ({error}): correct or remove it") from error


def locate(folder: Path, listed: str) -> Path:
    """The file that a path in a listing means, relative to the listing's folder; the path as written if there is no file.

    If the path as written does not exist, backslashes count as slashes, and an accented letter counts as the same whether it is
    written as one character or as two.
    """
    spellings = [
        spelling
        for text in (listed, listed.replace("\\", "/"))
        for spelling in (text, *(unicodedata.normalize(form, text) for form in UNICODE_FORMS))
    ]
    paths = [folder / spelling for spelling in dict.fromkeys(spellings)]
    return next((path for path in paths if absence(path) is None), paths[0])


def absence(path: Path, *, file: bool = False) -> str | None:
    """Why there is nothing to read at a path, as the end of a sentence; None if there is.

    For instance: "which does not exist: check the path". file: a folder does not count.
    """
    if is_file(path) or (is_dir(path) and not file):
        return None
    return "which is a folder" if is_dir(path) else f"which {why_absent(path)}"


def drop_lost_masks(records: Sequence[Record], problems: list[Problem]) -> list[Record]:
    """The records of a listing, without the masks it names that are not on disk.

    An abnormal image that is listed without a mask is a problem only where others of its category have one: otherwise the set
    has image-level labels only.
    """
    drawn = {record.category for record in records if record.mask is not None}
    found = []
    for record in records:
        if record.mask is None and record.label == 1 and record.category in drawn:
            sentence = f"the abnormal image {record.image} is listed without a mask, unlike others of its category"
            problems.append(Problem(record.image, "mask-missing", sentence))
        if record.mask is not None and (reason := absence(record.mask)):
            _report_lost("mask", record.mask, reason, record, problems)
            record = replace(record, mask=None)
        if record.ignore is not None and (reason := absence(record.ignore)):
            _report_lost("ignore mask", record.ignore, reason, record, problems)
            record = replace(record, ignore=None)
        if record.classes is not None and (reason := absence(record.classes)):
            _report_lost("file of class labels", record.classes, reason, record, problems)
            record = replace(record, classes=None)
        found.append(record)
    return found


def _report_lost(what: str, path: Path, reason: str, record: Record, problems: list[Problem]) -> None:
    sentence = f"the image {record.image} is listed with the {what} {path}, {reason}"
    problems.append(Problem(record.image, "mask-missing", sentence, Loss(record.category, record.split)))
