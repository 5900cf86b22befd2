"""A detector looks at good images: what it keeps of each, and which are odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from oddlens.calibration import Look, Observation, Observations, Scene, Vetting, look_at, summary, vet
from oddlens.detector.embedding import embeddings_of
from oddlens.detector.fitted import FittedDetector, is_unseen
from oddlens.detector.good_images import read_good_images, warn_of_doubles
from oddlens.encoding import EncodedBatch
from oddlens.errors import Failure, ImageError, OddlensError, UsageError, printable
from oddlens.io.images import read_image
from oddlens.io.inputs import Images
from oddlens.io.loader import BATCH_SIZE
from oddlens.io.paths import is_file
from oddlens.methods.scoring import Numbers, Scores


class ObservedDetector(FittedDetector):
    """A method with references that says what good images are to it. `Detector` is what it is used by."""

    def observe(
        self,
        images: Images | None = None,
        object_name: str | None = None,
        *,
        looks: bool = True,
        failed: Callable[[Failure], object] | None = None,
    ) -> Observations:
        """What this detector keeps of good images: score, embedding, a small picture. `vet` and `calibrate` take it.

        Args:
            images: Good images. One that is there twice, or is a reference, is left out and named in a warning. None: the
                references, each held against the others.
            object_name: What is on the images; None: the detector's own `object_name`.
            looks: Whether to look at the pixels of references, which are read again where they still lie.
            failed: Takes each image that cannot be read, or of which a mask leaves nothing, and the others are observed. None: the
                first one is raised.

        Raises:
            UsageError: There are none, or the recipe scores a whole set (`check_alone`).
            ImageError: An image cannot be read, a mask leaves nothing of it, or its score or map is not finite.

        Examples:
            >>> import numpy as np
            >>> import oddlens
            >>> detector = oddlens.load("winclip", device="cpu")
            >>> seen = detector.observe([np.full((64, 64, 3), grey, np.uint8) for grey in (100, 120)])
            >>> [(each.source, each.size) for each in seen]
            [('image 1', (64, 64)), ('image 2', (64, 64))]
        """
        self.check_alone()
        name = self._object_of(object_name)
        self._encode_prompts(name)
        if images is None:
            return Observations("leave-one-out", tuple(self._observed_references(name, looks)))
        return Observations("split", tuple(self._observed_images(images, name, failed)))

    def vet(self, good_images: Images | Observations | None = None, object_name: str | None = None) -> Vetting:
        """Look for what is odd among good images: see `oddlens.calibration.vetting`.

        Args:
            good_images: The images, or what `observe` gave of them. None: the references, each held against the others.
            object_name: What is on the images; None: the detector's own `object_name`.

        Raises as `observe`.
        """
        return vet(good_images if isinstance(good_images, Observations) else self.observe(good_images, object_name))

    def scene_of(self, calibrated: Sequence[Observation] = ()) -> Scene:
        """What the part looks like, by the references and by calibration images."""
        known = None if self._references is None else embeddings_of(self._references)
        other = np.stack([each.embedding for each in calibrated]) if calibrated else None
        return Scene.of(known, other)

    def _observed_images(
        self, images: Images, object_name: str, failed: Callable[[Failure], object] | None
    ) -> Iterator[Observation]:
        references = self.references
        sources = {} if references is None else dict(zip(references.digests, references.sources, strict=False))
        known = len(sources)
        encoder, doubles, looks = self._encoder(), list[str](), list[Look | None]()
        with read_good_images(images, encoder, self.max_megapixels, sources, doubles, looks, failed) as new:
            found = usable = 0
            while len(batch := encoder.encode(islice(new, BATCH_SIZE))[0]):
                digests = list(islice(sources, known + found, known + found + len(batch)))
                scores = self._scores(batch, object_name)
                for each in self._observed(batch, scores, digests, looks[found:], "calibration image", failed):
                    usable += 1
                    yield each
                found += len(batch)
        if doubles:
            warn_of_doubles(doubles, "good images and the references")
        if not found:
            raise UsageError("no good images were given that are no references: give at least one")
        if not usable:
            raise UsageError(f"the mask leaves nothing of any good image: give {self.method.card.unseen_remedy}")

    def _observed_references(self, object_name: str, looks: bool) -> Iterator[Observation]:
        references, fit = self._references, self._fit(object_name)
        if references is None or fit is None or fit.calibration is None:
            raise UsageError(
                f"there is nothing to calibrate on: give good images{'' if self.no_references else ', or two references or more'}"
            )
        embeddings, calibration = embeddings_of(references), fit.calibration
        for number, source in enumerate(references.sources):
            yield Observation(
                source=source,
                digest=references.digests[number] if references.digests else "",
                size=references.sizes[number],
                score=calibration.scores[number],
                peak=calibration.peaks[number],
                usual=calibration.usual,
                embedding=embeddings[number],
                look=self._look_again(source) if looks else None,
            )

    def _observed(
        self,
        batch: EncodedBatch,
        scores: Scores[Numbers],
        digests: Sequence[str],
        looks: Sequence[Look | None],
        what: str,
        failed: Callable[[Failure], object] | None,
    ) -> Iterator[Observation]:
        """The images of a batch, in order. what: they are, for sentences. failed: see `observe`."""
        embeddings = embeddings_of(batch)
        for number, (source, score, anomaly_map) in enumerate(self._good_images(batch, scores)):
            if is_unseen(scores, number):
                unseen = Failure(source, f"the {what} {printable(source)} says nothing: the mask leaves nothing of it")
                if failed is None:
                    raise ImageError(unseen.reason)
                failed(unseen)
                continue
            score, peak, usual = summary(source, score, anomaly_map, what)
            yield Observation(
                source=source,
                digest=digests[number],
                size=batch.sizes[number],
                score=score,
                peak=peak,
                usual=usual,
                embedding=embeddings[number],
                look=looks[number],
            )

    def _look_again(self, source: str) -> Look | None:
        """A look at a reference, whose pixels are not kept; None where it does not lie any more where it was read."""
        if not is_file(source):
            return None
        try:
            return look_at(read_image(source, max_megapixels=self.max_megapixels).pixels)
        except OddlensError:
            return None
