"""What is said of the problems of a data set where they are not listed."""

from pathlib import Path

from oddlens.data.problem import Loss, Problem, first_of, folders_left_out, losses, problems_found


def test_folders_whose_images_are_left_out_are_named() -> None:
    problems = [Problem(Path(f"gen/{name}"), "folder-unknown", "it is left out") for name in "abcde"]
    problems.append(Problem(Path("gen/f"), "category-empty", "it is empty"))
    left_out = folders_left_out(problems)
    assert left_out == ["a", "b", "c", "d", "e"]
    named, counted = problems_found("gen", len(problems), "data/gen", left_out)
    assert named == (
        "gen: the images of 5 folders are left out (a, b, c, and 2 more), not laid out as categories are here: "
        "give a data set of its own by its own path"
    )
    assert counted == (
        "gen: 6 problems found without reading its images: 'oddlens data check data/gen' reads them and lists all problems"
    )
    assert problems_found("gen", 0, "data/gen") == []
    assert "the images of 1 folder are left out (a), not" in problems_found("gen", 1, "gen", ["a"])[0]


def test_what_splits_and_categories_lack_is_told_apart() -> None:
    lacks = [Loss("nut", "test"), Loss("nut", "train"), Loss("lid", "test"), Loss("lid", "test", left_out=True)]
    problems = [
        Problem(Path("x.png"), "mask-unreadable", f"number {number}", loss) for number, loss in enumerate(lacks)
    ]
    problems.append(Problem(Path("x.png"), "folder-empty", "nothing is lost"))
    assert losses(problems, "test", left_out=False) == [problems[0], problems[2]]
    assert losses(problems, "test", "train", category="nut", left_out=False) == problems[:2]
    assert losses(problems, "test", left_out=True) == [problems[3]]


def test_the_first_of_several_problems_is_said_and_the_rest_counted() -> None:
    problems = [Problem(Path("x.png"), "mask-unreadable", f"number {number}") for number in range(3)]
    assert first_of(problems[:1]) == "number 0"
    assert first_of(problems) == "number 0 (2 more problems like this one)"
