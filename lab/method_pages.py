"""The generated parts of docs/methods: settings from the recipes, published figures and BibTeX from the package's own lists.

`python -m lab.method_pages` writes them anew between their marks (`<!-- settings -->`, `<!-- /settings -->`). The sources of the
settings are written by hand, in the last column: they are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import NotRequired, TypedDict

from oddlens.evaluation.citations import entries
from oddlens.evaluation.published_methods import all_published
from oddlens.io.atomic import write_text
from oddlens.methods.recipe_help import FieldHelp, recipe_help, shown
from oddlens.methods.registry import method_card, method_cards

FOLDER = Path(__file__).parents[1] / "docs" / "methods"

JOINED = "winclip+patch-knn"
"""The pair of methods on whose settings the page of two methods as one is written."""

PAGES: Mapping[str, str] = {**{name: name for name in method_cards()}, "fusion": JOINED}
"""The pages by name, each with its method."""

DATASETS = ("MVTec AD", "VisA")
"""The data sets whose published figures a page shows; `oddlens benchmark` knows more."""

METRICS: Mapping[str, str] = {
    "image_auroc": "image AUROC",
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro": "AUPRO",
    "pixel_aupro_legacy": "PRO, the authors' own",
}
ROAD_METRICS: Mapping[str, str] = {
    "pixel_ap": "AP",
    "pixel_fpr95": "FPR95",
    "component_siou": "sIoU",
    "component_ppv": "PPV",
    "component_f1_mean": "mean F1",
}
PART = re.compile(r"<!-- (settings|published|cite) -->\n\n(.*?)\n\n<!-- /\1 -->", re.DOTALL)


class _Road(TypedDict):
    method: str
    variant: NotRequired[str]
    outliers: bool
    percent: dict[str, float]


class _RoadSource(TypedDict):
    source: str
    dataset: str
    rows: list[_Road]


def rewritten(text: str, page: str) -> str:
    """The text of a page with its generated parts made anew."""
    method = PAGES[page]
    made = {"settings": settings(method, sources(text)), "published": published(method), "cite": cited(method)}
    return PART.sub(lambda found: f"<!-- {found[1]} -->\n\n{made[found[1]]}\n\n<!-- /{found[1]} -->", text)


def sources(text: str) -> dict[str, str]:
    """Setting -> its source, from the last column of the page's table."""
    part = next((found[2] for found in PART.finditer(text) if found[1] == "settings"), "")
    rows = re.findall(r"^\| `(\w+)`\*? \| .* \| ([^|]*) \|$", part, re.MULTILINE)
    return {name: source.strip() for name, source in rows}


def settings(method: str, known: Mapping[str, str]) -> str:
    """The table of a method's settings; and of its named recipes, where it has some.

    known: Setting -> its source; "" where a setting has none yet.
    """
    recipe = method_card(method).recipe
    own = [each for each in recipe_help(recipe) if not _is_part(each.name, method)]
    table = _table(
        ("setting", "default", "what it is", "source"),
        [(_name(each), f"`{shown(each.value)}`", _meaning(each), known.get(each.name, "")) for each in own],
    )
    if not recipe.NAMED:
        return table
    named = [
        (f"`{name}`", ", ".join(f"`{field}={shown(value)}`" for field, value in values.items()) or "nothing")
        for name, values in recipe.NAMED.items()
    ]
    return f"{table}\n\n{_table(('named recipe', 'what it sets'), named)}"


def published(method: str) -> str:
    """The published figures of a method, each with its source."""
    return _road_figures() if method == "vl4ad" else _figures(method)


def cited(method: str) -> str:
    """The BibTeX entries that a paper which uses the method cites."""
    found = "\n\n".join(entries()[key] for key in method_card(method).citations)
    return f"```bibtex\n{found}\n```"


def _figures(method: str) -> str:
    rows = [each for each in all_published() if each.method == method and each.dataset in DATASETS]
    origins = list(dict.fromkeys((each.source, each.models) for each in rows))
    metrics = [name for name in METRICS if any(name in each.percent for each in rows)]
    table = _table(
        ("data set", "good examples", *(METRICS[name] for name in metrics), "from"),
        [
            (
                each.dataset,
                str(each.shots),
                *(_percent(each.percent.get(name), each.std.get(name)) for name in metrics),
                _letter(origins.index((each.source, each.models))),
            )
            for each in rows
        ],
    )
    notes = "\n".join(
        f"- {_letter(number)}: {source}; on {' or '.join(models)}" for number, (source, models) in enumerate(origins)
    )
    return f"{table}\n\n{notes}"


def _road_figures() -> str:
    text = resources.files("oddlens.evaluation").joinpath("published_roads.json").read_text(encoding="utf-8")
    origins: list[_RoadSource] = json.loads(text)["sources"]
    rows = [(origin, row) for origin in origins for row in origin["rows"] if row["method"] == "VL4AD"]
    table = _table(
        ("data set", "words for the unknown", *ROAD_METRICS.values()),
        [
            (
                origin["dataset"],
                "yes (we presume)" if row["outliers"] else "no",
                *(_percent(row["percent"].get(name)) for name in ROAD_METRICS),
            )
            for origin, row in rows
        ],
    )
    notes = "\n".join(f"- {each}" for each in dict.fromkeys(origin["source"] for origin, _ in rows))
    return f"{table}\n\n{notes}"


def _is_part(name: str, method: str) -> bool:
    """Whether the setting is that of one of two methods that run as one: their own pages explain it."""
    return "+" in method and name.startswith(tuple(f"{part.replace('-', '_')}_" for part in method.split("+")))


def _name(field: FieldHelp) -> str:
    return f"`{field.name}`{'*' if field.may_change else ''}"


def _meaning(field: FieldHelp) -> str:
    """What the docstring says, and the choices, where there are any that it does not name."""
    choices = re.findall(r"'(\w+)'", field.kind)
    text = f"{field.meaning[:1].upper()}{field.meaning[1:]}."
    if any(f'"{each}"' not in text for each in choices):
        text += f" {field.kind[:1].upper()}{field.kind[1:]}."
    return text.replace("|", "\\|")


def _percent(value: float | None, deviation: float | None = None) -> str:
    """A figure with the decimals that were printed; and its standard deviation, where that was."""
    if value is None:
        return "-"
    return f"{float(value)}" if deviation is None else f"{float(value)} ± {float(deviation)}"


def _letter(number: int) -> str:
    return "abcdefgh"[number]


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


if __name__ == "__main__":
    for page in PAGES:
        path = FOLDER / f"{page}.md"
        write_text(path, rewritten(path.read_text(encoding="utf-8"), page))
