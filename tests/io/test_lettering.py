"""Text on images: letters that the font has, and what fits."""

from oddlens.io.lettering import drawable, fit, fit_in_lines, font


def test_letters_of_other_alphabets_are_not_lost_without_a_sign() -> None:
    assert drawable("Größe é – Łódź 部 a·b") == "Grosse e - Lodz ? a·b"


def test_a_text_that_is_too_wide_keeps_both_ends() -> None:
    cut = fit("camera 1/part 000000017.png", font(13), 100)
    assert font(13).getlength(cut) <= 100
    assert cut.startswith("cam")
    assert cut.endswith("17.png")
    assert fit("a.png", font(13), 100) == "a.png"
    assert fit("a.png", font(13), 1) == ""


def test_lines_hold_all_of_a_text_that_fits_them() -> None:
    text = "Bild der Kamera 1 von Montag.png"
    lines = fit_in_lines(text, font(13), 120, 3)
    assert "".join(lines) == text
    assert 1 < len(lines) <= 3
    assert all(font(13).getlength(line) <= 120 for line in lines)
    last = fit_in_lines(10 * text, font(13), 120, 2)[-1]
    assert "…" in last
    assert last.endswith(".png")
