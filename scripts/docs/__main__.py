"""Makes build/docs-source from docs/, and from that the site in build/docs; any warning is an error."""

import shutil
import subprocess
import sys
from pathlib import Path

from scripts.docs.pages import ROOT, write_pages

SOURCE, SITE = ROOT / "build" / "docs-source", ROOT / "build" / "docs"


def main() -> int:
    """Exit code 0, or that of the builder."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    write_pages(SOURCE)
    builder = Path(sys.executable).with_name("zensical")
    code = subprocess.run([builder, "build", "--strict", "--clean"], cwd=ROOT, check=False).returncode
    if code == 0:
        print((SITE / "index.html").relative_to(ROOT))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
