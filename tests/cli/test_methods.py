"""`oddlens methods`: the table, a page for each method, both as JSON too."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from oddlens.methods.registry import method_cards
from tests.cli.program import run

GOLDEN = Path(__file__).parent / "golden"


def test_the_table_says_of_each_method_what_it_is_for_and_what_it_needs() -> None:
    assert run("methods").out == (GOLDEN / "methods.txt").read_text()


@pytest.mark.parametrize("name", method_cards())
def test_the_page_of_every_method_names_each_field_option_and_named_recipe(name: str) -> None:
    card = method_cards()[name]
    page = run("methods", name.upper()).out
    assert page.startswith(card.title)
    assert all(f"\n  {field.name}=" in page for field in fields(card.recipe))
    assert all(f"\n  {option.flag}" in page for option in card.options)
    assert all(f"\n  {recipe}: " in page for recipe in card.recipe.NAMED)
    assert ("learned weights" in page) == (card.needs.weights != "no")
    needed = [line for line in page.splitlines() if line.startswith(("  needs ", "  can use "))]
    assert any(card.needs.examples in line for line in needed) == (card.needs.references != "no")


def test_a_method_that_takes_a_set_or_references_needs_one_of_both() -> None:
    assert "\n  needs          a pool of unlabelled images, or many images at once\n" in run("methods", "musc").out
    assert "\n  needs          good examples, or many images at once\n" in run("methods", "anomalydino").out


def test_json_holds_what_the_page_says() -> None:
    everything = json.loads(run("methods", "--json").out)
    assert [each["name"] for each in everything] == list(method_cards())
    (anovl,) = (each for each in everything if each["name"] == "anovl")
    assert json.loads(run("methods", "anovl", "--json").out) == anovl
    assert anovl["named_recipes"]["released"] == {"optimiser": "kept"}
    assert [option["flag"] for option in anovl["options"]] == ["--adapt/--no-adapt", "--views"]
    (steps,) = (field for field in anovl["fields"] if field["name"] == "steps")
    assert steps["value"] == 5
    assert steps["kind"] == "a whole number above 0, at most 1000"
    assert steps["may_change_between_questions"] is True


def test_which_methods_can_be_trained_agrees_with_the_verbs_of_train() -> None:
    verbs = run("train", "--help").out
    for each in json.loads(run("methods", "--json").out):
        assert each["trainable"] == (f"\n  {each['name']} " in verbs)


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    done = run("methods", "anomlyclip")
    assert done.code == 2
    assert done.sentence.startswith("there is no method 'anomlyclip', did you mean 'anomalyclip'?")


def test_a_field_that_does_not_exist_points_here(tmp_path: Path) -> None:
    done = run("detect", Path(__file__).parents[2] / "docs" / "images" / "verdict.jpg", "--set", "temprature=1")
    assert done.code == 2
    assert "did you mean 'temperature'?" in done.sentence
    assert done.sentence.endswith("('oddlens methods winclip' explains them)")


@pytest.mark.parametrize("arguments", [["methods"], ["methods", "vl4ad"], ["detect", "--method", "vl4ad", "--help"]])
def test_they_need_no_torch(arguments: list[str]) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from oddlens.cli import main
sys.argv = {["oddlens", *arguments]!r}
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout
