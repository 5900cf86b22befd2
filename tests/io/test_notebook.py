"""What notebooks show: a short table of text."""

from oddlens.io.notebook import facts


def test_text_is_text_and_empty_rows_are_left_out() -> None:
    shown = facts("<b>", [("name", "a & b"), ("nothing", ""), ("<i>", "<script>")])
    assert "&lt;b&gt;" in shown
    assert "a &amp; b" in shown
    assert "&lt;script&gt;" in shown
    assert "nothing" not in shown
    assert shown.count("<tr>") == 2
