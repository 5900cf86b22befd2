"""Marks beside figures."""

from typing import Any

from oddlens.evaluation.marks import category_marks, marks_line, mean_marks


def category(unseen: int, **mean: float | None) -> Any:
    return {"mean": mean} | ({"unseen": unseen} if unseen else {})


def test_a_mean_has_the_marks_of_its_categories_and_a_star_where_it_is_over_fewer() -> None:
    seen, unseen = category(0, ap=0.5, auroc=0.5, miou=0.5), category(1, ap=None, auroc=0.5, miou=None)
    result: Any = {"categories": [seen, unseen], "categories_counted": {"ap": 1, "auroc": 2, "miou": 0}}
    assert category_marks(seen) == {}
    assert category_marks(unseen) == {"auroc": "†"}
    assert mean_marks(result) == {"ap": "*", "auroc": "†"}
    document: Any = {"results": [result]}
    assert marks_line(document).startswith(
        " *: a mean over fewer categories, since the others do not define this figure. †: with "
    )
    document["results"][0]["categories"] = [seen]
    assert marks_line(document) == ""
