"""The words that folders and listings use for labels and splits, in any case of letters."""

import unicodedata

from oddlens.data.record import Split

NORMAL_WORDS = ("good", "ok", "normal")
NO_DEFECT_WORDS = (*NORMAL_WORDS, "background", "_background_", "__ignore__")
ABNORMAL_WORDS = ("abnormal", "anomaly", "anomalous", "defect", "defective", "bad", "ng")

_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_LABELS = {"false": 0, "true": 1} | dict.fromkeys(NORMAL_WORDS, 0) | dict.fromkeys(ABNORMAL_WORDS, 1)


def is_normal_word(word: str) -> bool:
    """Whether a folder or a cell of this name says that something is normal."""
    return word.casefold() in NORMAL_WORDS


def is_defect_word(word: str) -> bool:
    """Whether an annotation of this name marks a defect: all do but those of what is normal, and the background of label tools."""
    return word.casefold() not in NO_DEFECT_WORDS


def split_of(word: str) -> Split | None:
    """The split that a folder or a cell of this name means, of those with labels; None if it means none."""
    return _SPLITS.get(word.casefold())


def is_like_a_split(word: str) -> bool:
    """Whether a folder's name begins as those of splits do: Test2, train_old, validation-b."""
    return word.casefold().startswith(("train", "val", "test"))


def label_of(value: object) -> int | None:
    """The label that a value of a listing means, 0 normal or 1 abnormal; None if it means neither.

    Programs write 1 as 1.0 (pandas, where a cell of the column is empty), "1,0" (Excel in other languages), True, or a word.

    Examples:
        >>> label_of("1,0"), label_of("Good"), label_of("2")
        (1, 0, None)
    """
    if not isinstance(value, str | int | float):
        return None
    text = str(value).strip().casefold()
    if text in _LABELS:
        return _LABELS[text]
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return int(number) if number in (0, 1) else None


def name_key(name: str) -> str:
    """What two spellings of one file name have in common: case does not count, nor whether ü is one character or two (macOS)."""
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).casefold()
