"""`python -m lab.street_pair`, two steps of it."""

import json
from pathlib import Path

from tests.lab.program import run


def test_it_writes_a_model_that_says_how_it_was_made(tmp_path: Path) -> None:
    out = tmp_path / "pair"
    done = run("street_pair", "--steps", 2, "--scenes", 4, "--out", out)
    assert (done.code, done.out) == (0, f"{out}\n")
    assert f"4 scenes' features take 1 MB in {out}-work" in done.err
    assert "losses over the last steps: regions " in done.err
    made = json.loads((out / "oddlens_model.json").read_text())["provenance"]["training"]
    assert (made["seed"], made["steps"], made["scenes"]) == (0, 2, 4)


def test_no_steps_give_an_untrained_control_of_another_seed_too(tmp_path: Path) -> None:
    outs = [tmp_path / str(seed) for seed in range(2)]
    for seed, out in enumerate(outs):
        done = run("street_pair", "--steps", 0, "--scenes", 1, "--seed", seed, "--out", out)
        assert done.code == 0
        assert done.err.endswith("untrained\n")
    first, second = ((out / "model.safetensors").read_bytes() for out in outs)
    assert first != second
