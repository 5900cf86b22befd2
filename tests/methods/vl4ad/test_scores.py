"""The mechanism of VL4AD on planted embeddings: words, merges, void and the unknown, against a plain restatement."""

import math
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oddlens.methods.vl4ad.scores import (
    SCORES,
    ClassificationRule,
    ClassMaps,
    MaskPredictions,
    Merging,
    ScoreName,
    Void,
    probabilities,
    similarities,
)

Groups = list[list[int]]
RISING: tuple[ScoreName, ...] = ("vl4ad", "max_logit", "energy", "rba", "eam")
RULES = [
    ClassificationRule(merging, void, alpha)
    for merging in get_args(Merging)
    for void in get_args(Void)
    for alpha in (0.0, 0.4, 1.0)
]


def unit(seed: int, rows: int, width: int = 6) -> Tensor:
    return F.normalize(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)).double(), dim=1)


def planted(seed: int, masks: int = 5, temperature: float = 0.1) -> MaskPredictions:
    void = torch.rand(masks, generator=torch.Generator().manual_seed(seed + 1)).double()
    return MaskPredictions(unit(seed, masks), temperature, void, unit(seed + 2, masks), 0.2)


def worded(concepts: Tensor, groups: Groups, member: list[int]) -> dict[str, Tensor]:
    """The text of columns that hold the concepts of the given numbers; those beyond `member` are unknown."""
    order = [number for group in groups for number in group]
    columns = [column for column, group in enumerate(groups) for _ in group]
    return {"concepts": concepts[order], "columns": torch.tensor(columns), "member": torch.tensor(member)}


def restated(
    look: MaskPredictions, concepts: Tensor, groups: Groups, member: list[int], rule: ClassificationRule
) -> list[list[float]]:
    """The probability of every super-class for every mask, in loops."""
    assert look.pooled is not None
    assert look.void is not None
    supers = range(max(member) + 1)
    known, unknown = groups[: len(member)], groups[len(member) :]
    if rule.merging == "max":  # their concepts are put together before anything else
        known = [[word for k, group in enumerate(known) if member[k] == each for word in group] for each in supers]
        member = list(supers)
    rows = []
    for own, other, void in zip(look.embeddings, look.pooled, look.void.tolist(), strict=True):
        mass = []
        for group in known + unknown:
            inside = max(float(own @ concepts[word]) for word in group) / look.temperature
            outside = max(float(other @ concepts[word]) for word in group) / look.pooled_temperature
            mass.append(math.exp((1 - rule.alpha) * inside + rule.alpha * outside))
        of_known = sum(mass[: len(known)])
        total = {
            "ignore": sum(mass),
            "factor": sum(mass) / (1 - void),
            "in_softmax": sum(mass) + of_known * void / (1 - void),  # a column with these odds against all known ones
        }[rule.void]
        rows.append([sum(mass[k] for k in range(len(known)) if member[k] == each) / total for each in supers])
    return rows


class TestProbabilities:
    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize(
        ("groups", "member"),
        [
            ([[0], [1], [2]], [0, 1, 2]),
            ([[0, 3], [1], [2, 4, 5]], [0, 1, 0]),
            ([[0, 3], [1], [2], [4], [5, 6]], [0, 1, 0]),
        ],
    )
    def test_they_are_those_of_a_plain_restatement(
        self, rule: ClassificationRule, groups: Groups, member: list[int]
    ) -> None:
        look, concepts = planted(3), unit(9, 7)
        found = probabilities(look, worded(concepts, groups, member), rule)
        expected = torch.tensor(restated(look, concepts, groups, member, rule)).double()
        assert torch.allclose(found, expected, atol=1e-9)

    def test_without_unknown_words_they_add_up_to_one_and_with_them_to_less(self) -> None:
        look, concepts, rule = planted(0), unit(1, 5), ClassificationRule(void="ignore")
        plain = probabilities(look, worded(concepts, [[0], [1], [2]], [0, 1, 2]), rule)
        more = probabilities(look, worded(concepts, [[0], [1], [2], [3], [4]], [0, 1, 2]), rule)
        assert torch.allclose(plain.sum(dim=1), torch.ones(5).double())
        assert torch.allclose(
            plain, (similarities(look.embeddings, worded(concepts, [[0], [1], [2]], [0]), 3) / 0.1).softmax(1)
        )
        as_known = probabilities(look, worded(concepts, [[0], [1], [2], [3], [4]], [0, 1, 2, 3, 4]), rule)
        assert torch.allclose(as_known.sum(dim=1), torch.ones(5).double())
        assert torch.allclose(more, as_known[:, :3])
        assert (more.sum(dim=1) < 1).all()

    def test_an_unknown_word_that_is_the_mask_itself_takes_most_of_it(self) -> None:
        look, concepts = planted(0), unit(1, 3)
        words = torch.cat([concepts, look.embeddings[:1]])
        before = probabilities(look, worded(words, [[0], [1], [2]], [0, 1, 2]), ClassificationRule(void="ignore"))
        after = probabilities(look, worded(words, [[0], [1], [2], [3]], [0, 1, 2]), ClassificationRule(void="ignore"))
        assert after[0].sum() < 0.5 < before[0].sum()

    def test_the_order_of_concepts_and_concepts_given_twice_change_nothing(self) -> None:
        look, concepts = planted(0), unit(1, 6)
        plain = probabilities(look, worded(concepts, [[0, 1, 2], [3], [4, 5]], [0, 1]), ClassificationRule())
        for groups in ([[2, 0, 1], [3], [5, 4]], [[0, 1, 1, 2, 0], [3, 3], [4, 5]]):
            assert torch.allclose(probabilities(look, worded(concepts, groups, [0, 1]), ClassificationRule()), plain)

    @pytest.mark.parametrize("rule", RULES)
    def test_merging_every_class_with_itself_changes_nothing(self, rule: ClassificationRule) -> None:
        look, text = planted(5), worded(unit(6, 6), [[0, 1], [2], [3], [4], [5]], [0, 1, 2])
        assert torch.allclose(probabilities(look, text, rule), probabilities(look, text, rule, merged=False))
        plain = probabilities(look, text, replace(rule, merging="max"))
        assert torch.allclose(probabilities(look, text, replace(rule, merging="sum")), plain)

    def test_a_super_class_has_the_concepts_of_its_members(self) -> None:
        look, concepts = planted(5), unit(6, 5)
        merged = probabilities(look, worded(concepts, [[0, 1], [2], [3], [4]], [0, 1, 0]), ClassificationRule())
        written = probabilities(look, worded(concepts, [[0, 1, 3], [2], [4]], [0, 1]), ClassificationRule())
        assert torch.allclose(merged, written)

    def test_without_an_out_of_vocabulary_path_its_exponent_says_nothing(self) -> None:
        look, text = replace(planted(5), pooled=None), worded(unit(6, 3), [[0], [1], [2]], [0, 1])
        assert torch.equal(
            probabilities(look, text, ClassificationRule(alpha=0.7)), probabilities(look, text, ClassificationRule())
        )

    def test_a_mask_without_pixels_is_known_by_its_own_embedding_alone(self) -> None:
        look, text = planted(5), worded(unit(6, 3), [[0], [1], [2]], [0, 1])
        assert look.pooled is not None
        pooled = look.pooled.clone()
        pooled[2] = 0
        mixed, plain = (
            probabilities(replace(look, pooled=pooled), text, ClassificationRule(alpha=each)) for each in (0.7, 0.0)
        )
        assert torch.equal(mixed[2], plain[2])
        assert not torch.allclose(mixed[1], plain[1])

    @pytest.mark.parametrize("mode", ["factor", "in_softmax"])
    def test_what_is_nothing_is_no_class_and_what_is_something_is_untouched(self, mode: Any) -> None:
        text = worded(unit(6, 4), [[0], [1], [2], [3]], [0, 1, 2])
        look = replace(planted(5, masks=2), void=torch.tensor([1.0, 0.0]).double())
        found, plain = (probabilities(look, text, ClassificationRule(void=each)) for each in (mode, "ignore"))
        assert found[0].sum() == 0
        assert torch.allclose(found[1], plain[1])


def flat(masks: Tensor) -> Any:
    """How masks [masks, height, width] lie in a frame."""
    return lambda values: torch.einsum("nk,nhw->khw", values, masks)


@given(
    seed=st.integers(0, 10_000),
    rule=st.sampled_from(RULES),
    known=st.integers(2, 4),
    first=st.integers(0, 2),
    more=st.integers(1, 3),
    temperature=st.sampled_from([0.01, 0.1, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_more_unknown_words_only_ever_raise_the_score(
    seed: int, rule: ClassificationRule, known: int, first: int, more: int, temperature: float
) -> None:
    """Whatever the masks, the merge, void and the out-of-vocabulary path."""
    masks = torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(seed + 3)).double()
    look, concepts = planted(seed, temperature=temperature), unit(seed + 4, known + first + more)
    member = [number // 2 for number in range(known)]
    fewer, all_words = (
        worded(concepts, [[number] for number in range(count)], member)
        for count in (known + first, known + first + more)
    )
    for name in RISING:
        before, after = (
            SCORES[name].map(ClassMaps(probabilities(look, each, rule), flat(masks))) for each in (fewer, all_words)
        )
        assert (after >= before - 1e-9).all(), name


class TestScores:
    MASKS = torch.tensor([[[1.0, 0.0, 0.5, 0.0]], [[0.0, 1.0, 0.5, 0.0]]]).double()
    P = torch.tensor([[0.9, 0.1], [0.2, 0.3]]).double()

    def look(self, name: ScoreName) -> list[float]:
        found = SCORES[name].map(ClassMaps(self.P, flat(self.MASKS)))
        assert found.shape == (1, 4)
        return found[0].tolist()

    def test_each_is_its_formula(self) -> None:
        """A place of the first mask, of the second, of half of both, of none."""
        e = math.exp
        tanh = math.tanh
        assert self.look("vl4ad") == self.look("max_logit") == pytest.approx([-0.9, -0.3, -0.55, 0])
        assert self.look("msp") == pytest.approx(
            [1 - e(0.9) / (e(0.9) + e(0.1)), 1 - e(0.3) / (e(0.2) + e(0.3)), 1 - e(0.55) / (e(0.55) + e(0.2)), 0.5]
        )
        assert self.look("energy") == pytest.approx(
            [-math.log(e(a) + e(b)) for a, b in ((0.9, 0.1), (0.2, 0.3), (0.55, 0.2), (0, 0))]
        )
        shares = [(0.9, 0.1), (0.4, 0.6), (0.55 / 0.75, 0.2 / 0.75), (0.5, 0.5)]
        assert self.look("entropy") == pytest.approx([-sum(p * math.log(p) for p in each) for each in shares])
        assert self.look("rba") == pytest.approx(
            [-tanh(a) - tanh(b) for a, b in ((0.9, 0.1), (0.2, 0.3), (0.55, 0.2), (0, 0))]
        )
        assert self.look("eam") == pytest.approx([1 - 0.9, 1 - 0.3, 1 - 0.6, 1])

    @pytest.mark.parametrize("name", get_args(ScoreName))
    @pytest.mark.parametrize("classes", [2, 7, 19])
    def test_all_are_higher_for_what_is_less_known_and_stay_in_their_range(self, name: ScoreName, classes: int) -> None:
        sure = torch.zeros(1, classes).double()
        sure[0, 1] = 1
        frames = [sure, 0.6 * sure + 0.4 / classes, torch.full((1, classes), 1 / classes).double()]
        one_mask = flat(torch.ones(1, 1, 1).double())
        found = [float(SCORES[name].map(ClassMaps(p, one_mask))) for p in frames]
        low, high = SCORES[name].range(classes)
        assert low - 1e-6 <= found[0]
        assert found[-1] <= high + 1e-6
        if name == "rba":  # the sum of the classes hardly tells equal shares from one sure class
            assert float(SCORES[name].map(ClassMaps(0.2 * sure, one_mask))) > found[0]
        else:
            assert found[0] < found[1] < found[2]

    def test_every_name_has_a_score(self) -> None:
        assert set(SCORES) == set(get_args(ScoreName))

    def test_msp_and_entropy_may_fall_with_a_word_that_takes_one_of_two_masks_away(self) -> None:
        masks = torch.full((2, 1, 1), 0.5).double()
        equal = torch.eye(2).double()
        taken = torch.tensor([[1.0, 0.0], [0.0, 0.1]]).double()
        for name in ("msp", "entropy"):
            before, after = (float(SCORES[name].map(ClassMaps(p, flat(masks)))) for p in (equal, taken))
            assert after < before
