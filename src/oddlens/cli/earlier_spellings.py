"""Options as version 0.1 spelled them: they still work, with a warning, and go with 0.3."""

from __future__ import annotations

from collections.abc import Collection, Sequence

_WITH_VALUE: dict[str, tuple[str, str]] = {
    "--activation": ("--set", "activation={}"),
    "--smooth": ("--set", "smooth={}"),
    "--max-megapixels": ("--set", "max_megapixels={}"),
    "--pixel-threshold": ("--threshold", ",{}"),
}
"""Option -> the option that took its place, and the form of the value there."""

_WRITTEN = ("overlays", "maps", "labels")


def replace_earlier(args: Sequence[str], own: Collection[str]) -> tuple[list[str], list[str]]:
    """The words of a call in today's spelling, and a warning for each option that was spelled as before.

    own: the options of the verb, which are no earlier spellings of another one.
    """
    replaced: list[str] = []
    warnings: list[str] = []
    left_out: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            replaced += [word, *words]
            break
        option, equals, value = word.partition("=")
        kind = option.removeprefix("--").removeprefix("no-")
        known = option in _WITH_VALUE or (option.startswith("--") and "--write" in own and kind in _WRITTEN)
        if option in own or not known:
            replaced.append(word)
        elif option in _WITH_VALUE:
            now, form = _WITH_VALUE[option]
            value = value if equals else next(words, "")
            replaced += [now, form.format(value)]
            warnings.append(f"{option} {value} is now {now} {form.format(value)}: {_ENDS}")
        else:
            left_out += [kind] if option.startswith("--no-") else []
            warnings.append(f"{option} is now --write with what is wanted of {','.join(_WRITTEN)}: {_ENDS}")
    if left_out:
        rest = ",".join(kind for kind in _WRITTEN if kind not in left_out)
        replaced = ["--write", rest or "nothing", *replaced]
    return replaced, warnings


_ENDS = "the earlier spelling ends with 0.3"
