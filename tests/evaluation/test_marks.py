"""Marks beside figures."""

from typing import Any

from oddlens.evaluation.marks import category_marks, marks_line, mean_marks


def category(unseen: int, **mean: float | None) -> Any:
    return {"mean": mean} | ({"unseen": unseen} if unseen else {})


def test_a_mean_has_the_marks_of_its_categories_and_a_star_where_it_is_over_fewer() -> None:
    seen, unseen = category(0, ap=0.5, auroc=0.5, miou=0.5), category(1, ap=None, auroc=0.5, miou=None)
    result: Any = {
        "categories": [seen, unseen],
        "categories_counted": {"ap": 1, "auroc": 2, "miou": 0},
        "mean": {"ap": 0.5, "auroc": 0.5, "miou": None},
    }
    assert category_marks(seen) == {}
    assert category_marks(unseen) == {"auroc": "†"}
    assert mean_marks(result) == {"ap": "*", "auroc": "†"}
    document: Any = {"results": [result]}
    assert marks_line(document).startswith(
        " *: a mean over fewer categories, since the others do not define this figure. †: with "
    )
    document["results"][0]["categories"] = [seen]
    assert marks_line(document) == ""


def test_a_mean_that_lacks_what_was_skipped_has_a_mark() -> None:
    whole, half = category(0, ap=0.5, auroc=None), category(0, ap=0.5, auroc=None) | {"lacking": 1}
    result: Any = {
        "categories": [whole, half], "categories_counted": {"ap": 2, "auroc": 0}, "mean": {"ap": 0.5, "auroc": None},
        "lacking": 3,
    }  # fmt: skip
    assert category_marks(whole) == {}
    assert category_marks(half) == {"ap": "‡"}
    assert mean_marks(result) == {"ap": "‡"}
    document: Any = {"results": [result]}
    assert marks_line(document) == (
        " ‡: a mean that lacks what was skipped, so that it does not stand beside one that has all."
    )
