"""What is said of the problems of a data set where they are not listed."""

from pathlib import Path

from oddlens.data.problem import Problem, folders_left_out, problems_found


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
