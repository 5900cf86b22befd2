"""What a model can do, and what of a method's needs it lacks."""

from oddlens.backbone.options import Capabilities


def test_needs_that_are_met_lack_nothing() -> None:
    model = Capabilities(text=True, patches=True, local=True, joint=True, windows=True)
    assert model.lacking(Capabilities()) == []
    assert model.lacking(Capabilities(patches=True, windows=True)) == []


def test_what_is_absent_is_named_and_a_text_tower_first() -> None:
    needs = Capabilities(patches=True, local=True, text=True, learned_prompts=True)
    assert Capabilities(patches=True).lacking(needs) == [
        "a text tower", "a local (V-V) stream", "a text tower that takes learned prompts",
    ]  # fmt: skip


def test_two_towers_can_together_what_either_can() -> None:
    assert Capabilities(patches=True) | Capabilities(text=True) == Capabilities(patches=True, text=True)
