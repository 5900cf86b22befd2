"""`python -m lab.drawings`."""

from lab.drawings import DRAWINGS, FOLDER
from oddlens.io.atomic import write_text

for name, drawing in DRAWINGS.items():
    (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
    write_text(FOLDER / name, drawing.svg())
