"""Where something is shared: a folder, or hf://owner/name[@revision], a repository on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oddlens.backbone.hub import is_hub_id
from oddlens.errors import UsageError, printable
from oddlens.io.paths import is_dir

HUB = "hf://"


@dataclass(frozen=True)
class Place:
    """A folder, or a repository. revision: a branch, a tag or a commit; None: the main branch."""

    folder: Path | None = None
    hub_id: str = ""
    revision: str | None = None

    def __str__(self) -> str:
        """As a user spells it."""
        if self.folder is not None:
            return str(self.folder)
        return f"{HUB}{self.hub_id}" + (f"@{self.revision}" if self.revision else "")


def parse_place(text: str, *, exists: bool) -> Place:
    """The place of a name. exists: whether a folder must be there.

    Raises:
        UsageError: It is neither.
    """
    shown = printable(text)
    if not text.startswith(HUB):
        folder = Path(text)
        if exists and not is_dir(folder):
            advice = f", or {HUB}{shown} for the repository" if is_hub_id(text) else ""
            raise UsageError(f"the folder {shown} does not exist: check the path{advice}")
        return Place(folder)
    hub_id, at, revision = text.removeprefix(HUB).partition("@")
    if not is_hub_id(hub_id) or (at and not revision) or printable(revision) != revision:
        raise UsageError(f"{shown} is no repository: give {HUB}owner/name, or {HUB}owner/name@revision")
    if revision and not exists:
        raise UsageError(
            f"{shown} names a revision, and what is pushed becomes a new one: leave @{printable(revision)} out"
        )
    return Place(None, hub_id, revision or None)
