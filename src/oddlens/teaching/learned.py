"""What a lesson changed of a station, and in words."""

from __future__ import annotations

from dataclasses import dataclass

from oddlens.errors import counted
from oddlens.station import Version


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a station learned.

    Attributes:
        version: The new version; None where there was nothing to learn.
        joined: Images that joined the references.
        left: References that were marked bad and went.
        calibrated: How many images renewed the calibration; 0: none did.
        defects: Images that are new among the known defects.
        named: How many of them name others.
        remembered: How many images the second memory has.
        sentences: All of that, and what was passed over, in words.
    """

    version: Version | None
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    calibrated: int = 0
    defects: tuple[str, ...] = ()
    named: int = 0
    remembered: int = 0
    sentences: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What the new version has, in a few words: for the list of versions and the log."""
        parts = (
            (len(self.joined), "reference that was flagged", "references that were flagged"),
            (-len(self.left), "reference", "references"),
            (len(self.defects), "known defect", "known defects"),
        )
        said = [f"{count:+d} {one if abs(count) == 1 else many}" for count, one, many in parts if count]
        if self.calibrated:
            said.append(f"thresholds by {counted(self.calibrated, 'image')} drawn at random")
        return f"learned of the marks: {', '.join(said) or 'other names or memory of defects'}"

    def to_dict(self) -> dict[str, object]:
        """As JSON values; of the version its number."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return plain | {"version": None if self.version is None else self.version.number}
