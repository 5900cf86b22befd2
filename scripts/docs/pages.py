"""The pages of the site: those of docs/, and documents that stand elsewhere in the repository.

A page says in a line of its own what the program says itself: `<!-- generated: NAME -->` (GENERATORS has the names).
"""

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from scripts.docs import cli, http, settings
from scripts.docs.diagrams import drawn
from scripts.docs.markdown import relative

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

ELSEWHERE = {
    ROOT / "CHANGELOG.md": "about/changelog.md",
    ROOT / "CONTRIBUTING.md": "about/contributing.md",
    ROOT / "examples" / "README.md": "examples/index.md",
    **{path: f"examples/{path.parent.name}.md" for path in sorted(ROOT.glob("examples/*/README.md"))},
}
"""Documents outside docs/ that are pages as well, and where their pages stand."""

GENERATORS: dict[str, Callable[[], str]] = {"cli": cli.verbs, "http": http.routes, "settings": settings.settings}

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1\s*?$", re.DOTALL | re.MULTILINE)


@cache
def pages() -> dict[Path, str]:
    """Every document of the site, and the path of its page."""
    return {path: path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md"))} | ELSEWHERE


def write_pages(folder: Path) -> None:
    """Write the pages, and what else lies in docs/, into a folder that does not exist yet."""
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("*.md"))
    for document, page in pages().items():
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        text = drawn(for_site(document, completed(document)), target, folder / "images")
        target.write_text(text, encoding="utf-8")


def completed(document: Path) -> str:
    """A document's text with what the program says itself."""
    text = document.read_text(encoding="utf-8")
    return re.sub(r"^<!-- generated: (\S+) -->$", lambda found: GENERATORS[found[1]](), text, flags=re.MULTILINE)


def for_site(document: Path, text: str) -> str:
    """The text with links that hold on the site: what is no page there is only named."""
    here = Path(pages()[document]).parent

    def link(found: re.Match[str]) -> str:
        image, words, address = found.groups()
        path, _, anchor = address.partition("#")
        if not path or ":" in path:
            return found[0]
        target = (document.parent / path).resolve()
        target = target / "README.md" if target / "README.md" in pages() else target
        if target in pages():
            return f"{image}[{words}]({relative(pages()[target], here)}{'#' * bool(anchor)}{anchor})"
        if target.is_relative_to(DOCS):
            return f"{image}[{words}]({relative(target.relative_to(DOCS).as_posix(), here)})"
        place = target.relative_to(ROOT).as_posix()
        return words if place in words else f"{words} (`{place}`)"

    return outside_fences(text, lambda prose: LINK.sub(link, prose))


def outside_fences(text: str, change: Callable[[str], str], block: Callable[[str], str] = str) -> str:
    """The text with what is no block of code changed, and the blocks changed by `block`."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [change(text[end : fence.start()]), block(fence[0])]
        end = fence.end()
    return "".join([*parts, change(text[end:])])
