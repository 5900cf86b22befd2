"""Diagrams in Mermaid, which a forge draws by itself, as SVG files of the site."""

import re
from hashlib import sha256
from pathlib import Path

from scripts.docs.markdown import relative

_THEME = """%%{init: {"theme": "neutral", "fontFamily": "Arial, sans-serif",
  "themeVariables": {"fontSize": "14px", "edgeLabelBackground": "#ffffff"}}}%%
"""
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def drawn(text: str, page: Path, folder: Path) -> str:
    """A page's text with its diagrams as images, which are written into a folder of the site."""

    def image(found: re.Match[str]) -> str:
        import mmdr

        target = folder / f"diagram-{sha256(found[1].encode()).hexdigest()[:12]}.svg"
        folder.mkdir(parents=True, exist_ok=True)
        drawing = mmdr.render(_THEME + found[1]).svg()
        width, height = (round(float(each)) for each in re.findall(r'viewBox="\S+ \S+ (\S+) (\S+)"', drawing)[0])
        target.write_text(drawing.replace('width="100%"', f'width="{width}" height="{height}"', 1), encoding="utf-8")
        return f"![Diagram]({relative(target, page.parent)})"

    return _DIAGRAM.sub(image, text)
