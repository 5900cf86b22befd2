"""What each method does, in one form: the image on the left, the comparison in the middle, the map on the right.

Above stands what words say, below what examples show. So two pages can be compared at a glance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.drawings.canvas import Drawing, Tone

SIDE = 104
LEFT, MIDDLE, RIGHT = 18, 240, 358
HOT, WARM = ((3, 3), (4, 3)), ((3, 4), (4, 4), (5, 3), (4, 2))
"""Cells of the map, of six by six, on and around the crack of `Drawing.image`."""


def _form(
    title: str,
    box: tuple[str, ...],
    score: tuple[str, ...],
    *,
    sketch: Callable[[Drawing, int, int], None],
    words: tuple[tuple[str, Tone], ...] = (),
    examples: tuple[str, ...] = (),
    left: Callable[[Drawing, int, int], None] | None = None,
    right: Callable[[Drawing, int, int], None] | None = None,
    below: Callable[[Drawing, int], None] | None = None,
    caption: str = "image",
) -> Drawing:
    """A drawing in the common form.

    box: What the comparison is, in lines. score: What the score is. sketch: Draws into the box, from its middle and top on.
    words: Two prompts. examples: What the examples below are, in lines. left, right: Draw the image and the map
    from a corner on, where they are not a washer. below: Draws the examples from a top on.
    """
    top = 58 if words else 18
    bottom = top + 128
    drawing = Drawing(title, bottom + (94 if examples else 62))
    for number, (text, tone) in enumerate(words):
        drawing.pill(MIDDLE + (114 if number else -114), 14, 220, text, tone)
    if words:
        drawing.arrow(MIDDLE, 38, MIDDLE, top)
    if left is None:
        drawing.image(LEFT, top + 12, SIDE, bad=True).grid(LEFT, top + 12, SIDE, 6)
    else:
        left(drawing, LEFT, top + 12)
    drawing.text(LEFT + SIDE // 2, top + 134, caption, "quiet", style="small")
    drawing.arrow(LEFT + SIDE + 5, top + 64, 160, top + 64)
    drawing.frame(160, top, 160, 128)
    sketch(drawing, MIDDLE, top + 8)
    drawing.lines(MIDDLE, top + 118 - 16 * (len(box) - 1), box, style="small")
    drawing.arrow(320, top + 64, RIGHT - 5, top + 64)
    if right is None:
        drawing.cells(RIGHT, top + 12, SIDE, 6, HOT, WARM)
    else:
        right(drawing, RIGHT, top + 12)
    drawing.text(RIGHT + SIDE // 2, top + 134, "anomaly map", "quiet", style="small")
    if examples:
        drawing.arrow(MIDDLE, bottom + 26, MIDDLE, bottom)
        if below is None:
            _good(drawing, bottom + 28)
        else:
            below(drawing, bottom + 28)
        drawing.lines(14 + 72, bottom + 44, examples, "good", style="small")
        drawing.lines(RIGHT + SIDE // 2, bottom + 44, score, style="small")
    else:
        drawing.lines(MIDDLE, bottom + 34, score, style="small")
    return drawing


def _good(drawing: Drawing, top: int) -> None:
    for number in range(3):
        drawing.image(MIDDLE - 74 + 50 * number, top, 46)


def _pool(drawing: Drawing, top: int) -> None:
    for number in range(4):
        drawing.image(MIDDLE - 78 + 40 * number, top, 36, bad=number == 2)


def _turned(drawing: Drawing, top: int) -> None:
    for number in range(4):
        drawing.image(MIDDLE - 78 + 40 * number, top, 36, turned=45 * number)


def _words(drawing: Drawing, x: int, y: int, good: str = "good", bad: str = "damaged", what: str = "patch") -> None:
    """What is asked about, between two prompts."""
    x -= 10
    drawing.line(x - 50, y + 52, x - 44, y + 8, "good").line(x - 50, y + 52, x + 12, y + 30, "bad")
    drawing.dot(x - 44, y + 8, "good").dot(x + 12, y + 30, "bad")
    drawing.line(x - 50, y + 52, x, y + 14, "ink", style="thin dashes").dot(x, y + 14, "ink")
    drawing.text(x + 8, y + 13, what, style="small", at="start").text(
        x + 20, y + 34, bad, "bad", style="small", at="start"
    )
    drawing.text(x - 38, y + 7, good, "good", style="small", at="start")


def _nearest(drawing: Drawing, x: int, y: int) -> None:
    """A patch, the patches of the good examples, and the nearest of them."""
    for across, down in ((-58, 20), (-44, 10), (-46, 32), (-30, 22), (-34, 44), (-18, 14), (-20, 36), (-56, 46)):
        drawing.dot(x + across, y + down, "good")
    drawing.line(x - 20, y + 36, x + 34, y + 22, "bad", style="line dashes").dot(x + 34, y + 22, "bad", 5)
    drawing.text(x + 40, y + 44, "patch", "bad", style="small")


def _plane(drawing: Drawing, x: int, y: int) -> None:
    """A subspace of good patches, and a patch that lies outside it."""
    drawing.add(
        f'<polygon class="s-good line" points="{x - 66},{y + 50} {x - 26},{y + 26} {x + 64},{y + 26} {x + 24},{y + 50}"/>'
    )
    for across, down in ((-40, 44), (-20, 36), (-4, 45), (14, 33), (38, 34), (20, 43)):
        drawing.dot(x + across, y + down, "good", 3)
    drawing.line(x + 2, y + 38, x + 2, y + 8, "bad", style="line dashes").dot(x + 2, y + 6, "bad", 5)
    drawing.text(x + 12, y + 14, "the rest", "bad", style="small", at="start")


def _mutual(drawing: Drawing, x: int, y: int) -> None:
    """Images that are compared with each other."""
    places = ((-56, 14), (-30, 46), (0, 10), (28, 44), (54, 16))
    for number, (across, down) in enumerate(places):
        for other_across, other_down in places[number + 1 :]:
            drawing.line(x + across, y + down, x + other_across, y + other_down, "edge", style="thin")
    for number, (across, down) in enumerate(places):
        drawing.dot(x + across, y + down, "bad" if number == 4 else "good", 6)


def _adapter(drawing: Drawing, x: int, y: int) -> None:
    """An adapter that is trained on the image, again and again."""
    drawing.frame(x - 40, y + 16, 80, 26).text(x, y + 33, "adapter", style="small")
    drawing.add(f'<path class="s-words line" d="M {x + 44} {y + 29} h 18 v -23 h -62 v 4"/>')
    drawing.add(f'<polygon class="f-words" points="{x},{y + 16} {x - 5},{y + 8} {x + 5},{y + 8}"/>')
    drawing.text(x, y + 56, "5 steps, this image", "words", style="small")


def _tapped(drawing: Drawing, x: int, y: int) -> None:
    """Four blocks of a tower, each with a trained layer."""
    for number in range(4):
        left = x - 66 + 34 * number
        drawing.frame(left, y + 4, 28, 20).text(left + 14, y + 18, str(6 * (number + 1)), style="small")
        drawing.arrow(left + 14, y + 24, left + 14, y + 38).frame(left, y + 38, 28, 14, "words")
    drawing.text(x, y + 66, "a trained layer each", "words", style="small")


def _depths(drawing: Drawing, x: int, y: int) -> None:
    """Cells of three sizes."""
    for number, cells in enumerate((6, 3, 2)):
        left = x - 70 + 50 * number
        drawing.frame(left, y + 4, 42, 42).grid(left, y + 4, 42, cells)
        drawing.add(
            f'<rect class="s-bad line" x="{left + 42 * (cells * 2 // 3) // cells}" y="{y + 4 + 42 * (cells // 2) // cells}" '
            f'width="{42 // cells}" height="{42 // cells}"/>'
        )


def _two(drawing: Drawing, x: int, y: int) -> None:
    """Two p-values that become one."""
    drawing.pill(x, y + 4, 150, "words: p = 0.2").pill(x, y + 34, 150, "examples: p = 0.001", "good")
    drawing.arrow(x, y + 60, x, y + 80).text(x, y + 100, "both: p = 0.002", style="small strong")


def _windows(drawing: Drawing, x: int, y: int) -> None:
    """An image with windows of two sizes."""
    drawing.image(x, y, SIDE, bad=True).grid(x, y, SIDE, 6)
    drawing.add(f'<rect class="s-words thick" x="{x + 17}" y="{y + 17}" width="35" height="35"/>')
    drawing.add(f'<rect class="s-words thick" x="{x + 52}" y="{y + 35}" width="52" height="52"/>')


def _background(drawing: Drawing, x: int, y: int) -> None:
    """An image whose background is masked."""
    drawing.image(x, y, SIDE, bad=True)
    for column in range(6):
        for row in range(6):
            if (column in (0, 5) and row in (0, 1, 4, 5)) or row == 0:
                drawing.add(
                    f'<rect class="f-edge" x="{x + SIDE * column // 6}" y="{y + SIDE * row // 6}" width="18" height="18"/>'
                )
    drawing.grid(x, y, SIDE, 6)


def _stack(drawing: Drawing, x: int, y: int) -> None:
    """A pile of images that nobody sorted."""
    for number in range(3):
        drawing.image(x + 8 * number, y + 8 * (2 - number), SIDE - 16, bad=number == 2)


def _street(drawing: Drawing, x: int, y: int, *, heat: bool) -> None:
    """A street with a car, and a thing that no word names."""
    known = "box" if heat else "part"
    drawing.frame(x, y, SIDE, SIDE)
    drawing.add(
        f'<polygon class="f-{known} s-edge thin" points="{x},{y + 103} {x + 44},{y + 44} {x + 60},{y + 44} {x + 103},{y + 103}"/>'
    )
    drawing.line(x, y + 44, x + SIDE, y + 44, "quiet", style="thin")
    drawing.add(
        f'<rect class="s-{"edge" if heat else "ink"} line" x="{x + 52}" y="{y + 50}" width="20" height="12" rx="3"/>'
    )
    drawing.add(f'<rect class="{"f-bad" if heat else "s-ink line"}" x="{x + 36}" y="{y + 74}" width="18" height="16"/>')
    if not heat:
        drawing.text(x + 88, y + 60, "car", "quiet", style="small").text(x + 45, y + 87, "?", style="strong")


METHODS: Mapping[str, Drawing] = {
    "winclip": _form(
        "WinCLIP compares windows of the image with sentences about a good and a damaged object, and with good examples.",
        ("each window alone", "through the tower"),
        ("score: by words;", "with examples the", "map's peak, too"),
        sketch=_words,
        left=_windows,
        words=(("a photo of a flawless washer", "good"), ("a photo of a damaged washer", "bad")),
        examples=("WinCLIP+ only:", "the nearest window", "of good examples"),
    ),
    "april-gan": _form(
        "APRIL-GAN compares the patches of four blocks with words, by trained layers, and with good examples directly.",
        ("against the words",),
        ("score: by words;", "with examples the", "map's peak, too"),
        sketch=_tapped,
        words=(("245 sentences: good", "good"), ("175 sentences: damaged", "bad")),
        examples=("if you have any:", "the nearest patch,", "block by block"),
    ),
    "anomalyclip": _form(
        "AnomalyCLIP compares patches with two learned prompts that name no object.",
        ("patches of the local", "stream, against both"),
        ("score: the embedding of the whole image", "against the same two prompts"),
        sketch=_words,
        words=(("12 learned tokens + object", "good"), ("12 others + damaged object", "bad")),
    ),
    "anovl": _form(
        "AnoVL compares patches with sentences, and trains a small adapter on each image.",
        ("patches of the local", "stream, against both"),
        ("score: the whole image against the sentences,", "the mean over 22 views of it"),
        sketch=_adapter,
        words=(("462 sentences: good", "good"), ("462 sentences: damaged", "bad")),
    ),
    "vl4ad": _form(
        "VL4AD asks which known class explains a pixel of a street; words for the unknown take what is theirs.",
        ("which known word", "explains this mask?"),
        (
            "map: how little the best known class explains a pixel",
            "score: the mean of the highest thousandth of the map",
        ),
        sketch=lambda drawing, x, y: _words(drawing, x, y, "road", "caravan", "mask"),
        left=lambda drawing, x, y: _street(drawing, x, y, heat=False),
        right=lambda drawing, x, y: _street(drawing, x, y, heat=True),
        words=(("known: road, car, sky ...", "good"), ("unknown: caravan, dog ...", "bad")),
        caption="frame",
    ),
    "patch-knn": _form(
        "patch-knn compares cells of three sizes with the nearest cell of the good examples.",
        ("the nearest cell, at", "three depths of", "the network"),
        ("score: the mean", "of the highest 1 %"),
        sketch=_depths,
        examples=("good examples:", "all their cells are", "the memory bank"),
    ),
    "subspacead": _form(
        "SubspaceAD fits a subspace to the patches of turned good examples; what of a patch lies outside it is its score.",
        ("the subspace that", "good patches span"),
        ("score: the mean", "of the highest 1 %"),
        sketch=_plane,
        examples=("good examples,", "each in 31", "positions"),
        below=_turned,
    ),
    "anomalydino": _form(
        "AnomalyDINO compares each patch that is no background with the nearest patch of the turned good examples.",
        ("1 - cosine to the", "nearest good patch"),
        ("score: the mean", "of the highest 1 %"),
        sketch=_nearest,
        left=_background,
        examples=("good examples,", "each in 8", "positions"),
        below=_turned,
        caption="background masked",
    ),
    "musc": _form(
        "MuSc compares the images of an unsorted pile with each other: what most of them show is good.",
        ("each patch against", "every other image:", "the nearest 30 %"),
        ("score: the map's", "highest value"),
        sketch=_mutual,
        left=_stack,
        examples=("a pool that nobody", "sorted; a few of", "it may be bad"),
        below=_pool,
        caption="images, not sorted",
    ),
    "fusion": _form(
        "Two methods as one: the p-value by words and the p-value by good examples become one p-value.",
        (),
        ("score and map:", "-log10 of p"),
        sketch=_two,
        words=(("a photo of a flawless washer", "good"), ("a photo of a damaged washer", "bad")),
        examples=("two good examples", "or more"),
    ),
}
"""Page of docs/methods -> its drawing."""
