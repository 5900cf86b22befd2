"""Images that are labelled good or bad, as a station judges them: without those that it knows already."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oddlens.cli.options import say
from oddlens.cli.progress import progress
from oddlens.errors import Failure, counted
from oddlens.io.paths import is_file

if TYPE_CHECKING:
    from oddlens.calibration import Calibration
    from oddlens.detection import Detection
    from oddlens.detector import Detector
    from oddlens.io.images import Picture
    from oddlens.io.remote import ImagePath


@dataclass(frozen=True)
class KnownImages:
    """Images that a station was made of: what is counted of them would be too good.

    Those that its weights were trained on are no part of it: they are known by the bytes of their files.

    by_pixels: what they are to it, by the digest of their pixels. by_path: likewise, of those whose digests it does not keep.
    """

    by_pixels: dict[str, str]
    by_path: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, detector: Detector, calibration: Calibration | None) -> KnownImages:
        """References, calibration images, remembered defects."""
        by_pixels: dict[str, str] = {}
        by_path: dict[str, str] = {}
        split = calibration if calibration is not None and calibration.kind == "split" else None
        for images, what in ((split, "calibration images"), (detector.references, "references")):
            if images is not None:
                by_pixels |= dict.fromkeys(images.digests, what)
                by_path |= {} if images.digests else dict.fromkeys(map(os.path.realpath, images.sources), what)
        if detector.defects is not None:
            by_pixels |= dict.fromkeys(detector.defects.memory.images, "defects that it remembers")
        return cls(by_pixels, by_path)


def judged_images(
    detector: Detector, paths: Sequence[ImagePath], what: str, known: KnownImages
) -> Iterator[Detection | Failure]:
    """What becomes of each image but those that are known, or that came before; how many are left out is said, and what failed.

    what: they are, "bad images". known: gets the new ones.
    """
    from oddlens.io.inputs import Input, each_input

    left_out, digests = Counter[str](), dict[str, str]()

    def noted(each: Input) -> Input:
        def read() -> Picture:
            picture = each.read()
            digests[each.source] = picture.digest()
            return picture

        return replace(each, read=read)

    with progress(what, len(paths)) as advance:
        inputs = [noted(each) for each in each_input(paths, detector.max_megapixels)]
        for outcome in detector.detect_each(inputs, detector.object_name):
            advance(1)
            if isinstance(outcome, Failure):
                say(f"oddlens: {outcome}")
                yield outcome
                continue
            digest = digests[outcome.source]
            where = known.by_pixels.get(digest) or known.by_path.get(os.path.realpath(outcome.source))
            if where is None and _is_of(outcome.source, detector.training_images):
                where = "images that its weights were trained on"
            known.by_pixels.setdefault(digest, f"{what} that were given already")
            if where is None:
                yield outcome
            else:
                left_out[where] += 1
    for where, count in left_out.items():
        say(f"oddlens: {counted(count, f'of the {what} is', f'of the {what} are')} among the {where}: left out")


def _is_of(source: str, hashes: Collection[str]) -> bool:
    """Whether an image is a file with one of these short hashes."""
    from oddlens.data.contents import Contents

    return bool(hashes) and is_file(source) and Contents().hashes([Path(source)])[0] in hashes
