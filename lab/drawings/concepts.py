"""The concepts behind all methods: map and score, memory bank, calibration, what a ranking hides, prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.drawings.canvas import Drawing, Tone

GOOD_SCORES = (8, 11, 13, 14, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 28, 30, 33, 37, 43)
"""Nineteen scores of good images, in hundredths: the fewest that a false-alarm rate of 5 % can be promised from."""


def _map() -> Drawing:
    drawing = Drawing(
        "From an image to patches, from patches to a map at the image's size, and from the map to one score.", 184
    )
    drawing.image(18, 22, 104, bad=True).grid(18, 22, 104, 6)
    drawing.cells(188, 22, 104, 6, ((3, 3), (4, 3)), ((3, 4), (4, 4), (5, 3), (4, 2)))
    drawing.frame(358, 22, 104, 104)
    for radius, tone in ((30, "warm"), (15, "bad")):
        drawing.add(f'<ellipse class="f-{tone}" cx="428" cy="{84}" rx="{radius}" ry="{radius * 3 // 4}"/>')
    drawing.arrow(127, 74, 183, 74).arrow(297, 74, 353, 74)
    for x, caption in ((70, "image, in patches"), (240, "a score each patch"), (410, "anomaly map")):
        drawing.text(x, 144, caption, "quiet", style="small")
    return drawing.text(240, 170, "score: one number, of the map or of the whole image", style="small")


def _scale() -> Drawing:
    drawing = Drawing("A good image in colours of its own range looks defective; on a fixed scale it stays pale.", 196)
    spots = ((1, 2), (4, 1), (2, 4))
    drawing.text(125, 22, "stretched to each image's range", "quiet", style="small")
    drawing.text(360, 22, "on one fixed scale", "quiet", style="small")
    for x, good_hot in ((20, True), (255, False)):
        drawing.cells(x, 34, 100, 6, spots if good_hot else (), () if good_hot else spots[:1])
        drawing.cells(x + 110, 34, 100, 6, ((3, 3), (4, 3)), ((3, 4), (4, 4), (5, 3), (4, 2)))
        drawing.text(x + 50, 152, "good part", "good", style="small").text(
            x + 160, 152, "bad part", "bad", style="small"
        )
    drawing.text(125, 180, "both look bad", "bad", style="small strong")
    return drawing.text(360, 180, "the colours can be compared", "good", style="small strong")


def _bank() -> Drawing:
    drawing = Drawing(
        "Patches of good examples as points; a new patch is as anomalous as its nearest good patch is far.", 208
    )
    drawing.frame(18, 18, 270, 150)
    good = (
        (44, 60),
        (58, 44),
        (70, 66),
        (62, 84),
        (88, 54),
        (84, 80),
        (176, 112),
        (192, 98),
        (196, 128),
        (214, 110),
        (182, 138),
        (222, 134),
    )
    for x, y in good:
        drawing.dot(x, y, "good")
    drawing.line(204, 84, 192, 98, "ink").dot(204, 84, "ink", 5).text(212, 80, "near: usual", style="small", at="start")
    drawing.line(122, 136, 176, 112, "bad", style="line dashes").dot(122, 136, "bad", 6)
    drawing.text(60, 156, "far: anomalous", "bad", style="small", at="start")
    drawing.lines(384, 44, ("the memory bank:", "all patches of all", "good examples"), "good", style="small")
    drawing.lines(384, 112, ("the score of a patch:", "its distance to the", "nearest of them"), style="small")
    return drawing.text(
        240, 192, "more examples fill the gaps: a distance falls or stays, it never rises", style="small"
    )


def _axis(
    drawing: Drawing, y: int, scores: Sequence[int], bad: Sequence[int], threshold: int, tone: Tone = "ink"
) -> None:
    """Scores as dots above an axis from 0 to 1, good and bad, and a threshold."""
    drawing.line(30, y, 450, y, "quiet", style="thin")
    for values, colour in ((scores, "good"), (bad, "bad")):
        for value in values:
            drawing.dot(30 + 420 * value // 100, y - 9, colour)
    at = 30 + 420 * threshold // 100
    drawing.line(at, y - 30, at, y + 6, tone)


def _calibration() -> Drawing:
    drawing = Drawing(
        "The threshold is the highest of nineteen scores of good images: the next good part exceeds it once in twenty.",
        182,
    )
    drawing.text(30, 26, "19 good images that are no references", "good", style="small", at="start")
    _axis(drawing, 84, GOOD_SCORES, (), GOOD_SCORES[-1])
    drawing.text(214, 48, "threshold: the highest of them", style="small strong", at="start")
    drawing.text(30, 102, "score 0", "quiet", style="small", at="start").text(
        450, 102, "1", "quiet", style="small", at="end"
    )
    drawing.lines(
        240,
        130,
        (
            "20 good parts, one of them new: each is as likely as any other to",
            "have the highest score. So the new one has it once in 20: 5 %.",
        ),
        style="small",
    )
    return drawing.text(240, 170, "No defective part was needed.", "quiet", style="small")


def _ranking() -> Drawing:
    drawing = Drawing(
        "Two days with the same perfect ranking: under a new lamp all scores rise, and the old threshold calls every good part NG.",
        216,
    )
    good, bad = (18, 22, 25, 27, 30, 33), (58, 64, 71)
    drawing.text(30, 26, "Monday: AUROC 1.0", style="small strong", at="start").text(
        450, 26, "0 false alarms", "good", style="small", at="end"
    )
    _axis(drawing, 78, good, bad, 40)
    drawing.text(198, 94, "threshold", "quiet", style="small")
    drawing.text(30, 130, "Tuesday, a new lamp: AUROC 1.0", style="small strong", at="start")
    drawing.text(450, 130, "every good part NG", "bad", style="small", at="end")
    _axis(drawing, 182, [each + 25 for each in good], [each + 25 for each in bad], 40, "bad")
    return drawing.text(198, 198, "the same threshold", "quiet", style="small")


def _prompts() -> Drawing:
    drawing = Drawing(
        "Templates and states around the object's name give many sentences, whose mean is one prompt embedding for each state.",
        236,
    )
    drawing.text(82, 26, "templates", "quiet", style="small").text(240, 26, "states", "quiet", style="small")
    drawing.text(402, 26, "object", "quiet", style="small")
    for number, words in enumerate(("a photo of a ...", "a bright photo of ...", "a cropped photo ...")):
        drawing.pill(82, 36 + 28 * number, 144, words)
    for number, words in enumerate(("flawless ...", "... without defect")):
        drawing.pill(240, 36 + 28 * number, 132, words, "good")
    drawing.pill(240, 92, 132, "... with damage", "bad").pill(402, 64, 110, "metal nut", "words")
    drawing.text(161, 79, "x", style="strong").text(321, 79, "x", style="strong")
    drawing.arrow(150, 122, 150, 150).arrow(330, 122, 330, 150)
    drawing.frame(50, 150, 200, 30, "good").text(150, 170, "mean of the good sentences", "good", style="small")
    drawing.frame(270, 150, 184, 30, "bad").text(362, 170, "mean of the damaged", "bad", style="small")
    return drawing.lines(
        240,
        204,
        ("The image, or a patch of it, is compared with both: its share of", "\u201cdamaged\u201d is its score."),
        style="small",
    )


CONCEPTS: Mapping[str, Drawing] = {
    "anomaly-map": _map(),
    "fixed-scale": _scale(),
    "memory-bank": _bank(),
    "calibration": _calibration(),
    "ranking": _ranking(),
    "prompts": _prompts(),
}
"""Name -> drawing."""
