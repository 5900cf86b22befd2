"""Words of a street: packaged lists, dictionaries and files, and what contradicts itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from oddlens.data.legend import load_legend
from oddlens.errors import UsageError
from oddlens.methods.vl4ad.vocabulary import make_vocabulary, resolved_groups, resolved_lists

STREET = {"road": ["road", "street"], "sky": ["sky"], "car": ["car", "van"]}


class TestPackagedLists:
    @pytest.mark.parametrize("name", ["cityscapes", "cityscapes-strict"])
    def test_the_classes_of_cityscapes_stand_in_the_order_of_their_train_ids(self, name: str) -> None:
        assert make_vocabulary(name).names == load_legend("cityscapes-train-ids").names

    def test_the_strict_list_leaves_words_out_and_adds_none(self) -> None:
        plain, strict = make_vocabulary("cityscapes"), make_vocabulary("cityscapes-strict")
        for loose, tight in zip(plain.concepts, strict.concepts, strict=True):
            assert set(tight) <= set(loose)
        assert {"railroad", "rock"} <= {word for words in plain.concepts for word in words}
        assert not {"railroad", "rock"} & {word for words in strict.concepts for word in words}

    def test_camvid_is_the_shared_sets_classes_with_and_without_its_unknown(self, shared: Path) -> None:
        told = json.loads((shared / "data" / "camvid_ood" / "camvid" / "classes.json").read_text())
        names = [name for number, name in enumerate(told["classes"]) if number != told["ignore"]]
        assert list(make_vocabulary("camvid").names) == names
        known = [name for number, name in enumerate(names) if number not in told["ood"]]
        assert list(make_vocabulary("camvid-ood").names) == known

    @pytest.mark.parametrize(
        ("classes", "merge", "count"),
        [
            ("cityscapes", "none", 19),
            ("cityscapes", "cityscapes7", 7),
            ("cityscapes-strict", "soft8", 8),
            ("camvid-ood", "camvid6", 6),
            ("camvid", "camvid6", 8),
        ],
    )
    def test_merges_leave_as_many_classes_as_their_names_say(self, classes: str, merge: str, count: int) -> None:
        assert len(make_vocabulary(classes, merge=merge).supers) == count

    @pytest.mark.parametrize("classes", ["cityscapes", "cityscapes-strict", "camvid", "camvid-ood"])
    def test_our_unknown_words_give_way_to_known_ones(self, classes: str) -> None:
        vocabulary = make_vocabulary(classes, ood="default")
        known = {word for words in vocabulary.concepts for word in words} | set(vocabulary.names)
        unknown = [word for words in vocabulary.unknown for word in words]
        assert len(unknown) > 20
        assert not known & set(unknown)
        animals = make_vocabulary(STREET | {"pet": ["Dog", "cat"]}, ood="default")
        assert not {"dog", "cat"} & {word for words in animals.unknown for word in words}


class TestGivenWords:
    def test_classes_come_first_and_unknown_groups_after_them(self) -> None:
        vocabulary = make_vocabulary(STREET, ["dog", ["hay bale", "straw"]])
        assert vocabulary.columns == (("road", "street"), ("sky",), ("car", "van"), ("dog",), ("hay bale", "straw"))

    def test_classes_that_a_merge_does_not_name_stay_on_their_own(self) -> None:
        vocabulary = make_vocabulary(STREET, merge={"ground": ["car", "road"]})
        assert vocabulary.supers == ("ground", "sky")
        assert vocabulary.member == (0, 1, 0)

    def test_underscores_and_spare_blanks_are_no_part_of_a_word(self) -> None:
        vocabulary = make_vocabulary({"traffic_light": [" traffic  light "], "sky": ["sky"]}, " cardboard_box ,dog")
        assert vocabulary.names == ("traffic light", "sky")
        assert vocabulary.columns == (("traffic light",), ("sky",), ("cardboard box",), ("dog",))

    def test_a_concept_given_twice_counts_once(self) -> None:
        assert make_vocabulary({"road": ["road", "road"], "sky": ["sky"]}).concepts == (("road",), ("sky",))

    @pytest.mark.parametrize("suffix", [".json", ".toml"])
    def test_one_file_may_hold_classes_unknown_words_and_a_merge(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"street{suffix}"
        if suffix == ".json":
            path.write_text(json.dumps({"classes": STREET, "ood": ["dog"], "merge": {"ground": ["road", "car"]}}))
        else:
            path.write_text(
                'ood = ["dog"]\n[classes]\nroad = ["road", "street"]\nsky = ["sky"]\ncar = ["car", "van"]\n'
                '[merge]\nground = ["road", "car"]\n'
            )
        found = make_vocabulary(str(path), str(path), str(path))
        assert found == make_vocabulary(STREET, ["dog"], {"ground": ["road", "car"]})

    def test_a_file_may_hold_one_of_them_alone(self, tmp_path: Path) -> None:
        (tmp_path / "classes.json").write_text(json.dumps(STREET))
        (tmp_path / "words.json").write_text('["dog", ["hay bale", "straw"]]')
        found = make_vocabulary(str(tmp_path / "classes.json"), str(tmp_path / "words.json"))
        assert found == make_vocabulary(STREET, ["dog", ["hay bale", "straw"]])


class TestWhatRecipesKeep:
    def test_names_stay_names_and_files_become_their_words(self, tmp_path: Path) -> None:
        path = tmp_path / "street.json"
        path.write_text(json.dumps(STREET))
        assert resolved_lists("classes", "cityscapes") == "cityscapes"
        assert resolved_lists("classes", str(path)) == STREET
        assert resolved_groups("default") == resolved_groups("Default") == "default"
        assert resolved_groups("dog, cardboard box") == ("dog", "cardboard box")
        assert resolved_groups("St. Bernard, calibre 0.75") == ("St. Bernard", "calibre 0.75")
        assert resolved_groups(None) == resolved_groups([]) == resolved_groups("") == ()

    def test_what_json_gives_back_is_what_was_kept(self) -> None:
        kept = resolved_lists("classes", {"road": ("road", "street"), "sky": ("sky",)})
        assert json.loads(json.dumps(kept)) == kept
        groups = resolved_groups(["dog", ("hay bale", "straw")])
        assert resolved_groups(tuple(json.loads(json.dumps(groups)))) == groups


class TestFaults:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"classes": "citiscapes"}, r"'citiscapes' is no list of ours, did you mean 'cityscapes'\? Give .* a .json or .toml"),
            ({"merge": "seven"}, "merge 'seven' is no list of ours: give one of none, cityscapes7"),
            ({"ood": ["dog", "Street"]}, "'Street' is given as unknown and belongs to the known class 'road'"),
            ({"ood": ["sky"]}, "'sky' is given as unknown and belongs to the known class 'sky'"),
            ({"ood": "words.txt"}, "'words.txt' among the unknown words is the name of a file: give one .json or .toml"),
            ({"ood": "dog, words.JSONL"}, "'words.JSONL' among the unknown words is the name of a file"),
            ({"ood": "lists/more.json, dog"}, "'lists/more.json' among the unknown words is the name of a file"),
            ({"ood": "defualt"}, "the unknown word 'defualt' is nearly 'default', which stands for our list: give 'default'"),
            ({"ood": "dog, Dog"}, "the unknown word 'Dog' is given twice"),
            ({"ood": [["dog", "hound"], "hound"]}, "the unknown word 'hound' is given twice"),
            ({"ood": ["dog", []]}, "a group of unknown words is empty"),
            ({"ood": ["dog", " "]}, "an empty word is among"),
            ({"classes": {"road": ["road"]}}, "fewer than two known classes"),
            ({"classes": {}}, "fewer than two known classes"),
            ({"classes": {f"c{n}": [f"w{n}"] for n in range(256)}}, "256 known classes are given: 255 are the most"),
            ({"classes": STREET | {"Road": ["lane"]}}, "the name 'Road' is given twice"),
            ({"classes": STREET | {"sea": []}}, "the class 'sea' has no concepts"),
            ({"classes": STREET | {"sea": ["Sky"]}}, "the word 'sky' stands for 'sky' and for 'sea'"),
            ({"merge": {"ground": ["road", "grass"]}}, "the class 'grass', which is not known: the classes are road, sky, car"),
            ({"merge": {"a": ["road"], "b": ["sky", "Road"]}}, "the merge names the class 'Road' twice"),
            ({"merge": {"sky": ["road", "car"]}}, "the merge 'sky' has the name of a class that is not part of it"),
            ({"merge": {"ground": []}}, "the merge 'ground' has no members"),
        ],
    )  # fmt: skip
    def test_words_that_contradict_each_other_are_one_sentence(self, arguments: dict[str, Any], sentence: str) -> None:
        with pytest.raises(UsageError, match=sentence):
            make_vocabulary(**({"classes": STREET} | arguments))

    def test_unknown_words_that_stand_among_the_classes_are_found_there(self, tmp_path: Path) -> None:
        path = tmp_path / "late.toml"
        path.write_text('[classes]\nroad = ["road"]\nood = ["dog"]')
        with pytest.raises(UsageError, match=r'late\.toml has "ood" among the names of classes'):
            make_vocabulary(STREET, str(path))

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("absent.json", None, "absent.json cannot be read as text"),
            ("broken.json", "{", "broken.json is not valid JSON"),
            ("broken.toml", "= 3", "broken.toml is not valid TOML"),
            (
                "list.json",
                '["road", "sky"]',
                'list.json does not hold names with lists of words, or these as "classes"',
            ),
            ("numbers.json", '{"road": [1]}', "numbers.json does not hold names with lists of words"),
            ("deep.json", "[" * 100_000, "deep.json is not valid JSON"),
            ("deep.toml", "a = " + "[" * 100_000, "deep.toml is not valid TOML"),
            (
                "late.toml",
                '[classes]\nroad = ["road"]\nsky = ["sky"]\nood = ["dog"]',
                r'late.toml has "ood" among the names of classes, which are known: put it above the line \[classes\] in TOML',
            ),
            (
                "flat.json",
                '{"road": ["road"], "sky": ["sky"], "ood": ["dog"]}',
                'flat.json has "ood" among the names of cla',
            ),
            ("latin.json", b'{"stra\xdfe": []}', "latin.json cannot be read as text"),
        ],
    )
    def test_a_file_that_is_none_is_one_sentence(
        self, tmp_path: Path, name: str, content: str | bytes | None, sentence: str
    ) -> None:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UsageError, match=sentence):
            make_vocabulary(str(path))

    def test_a_file_of_unknown_words_holds_a_list(self, tmp_path: Path) -> None:
        (tmp_path / "words.json").write_text('{"dog": ["hound"]}')
        with pytest.raises(UsageError, match="does not hold a list of words"):
            make_vocabulary(STREET, str(tmp_path / "words.json"))


@pytest.mark.parametrize("name", ["Cityscapes", "CITYSCAPES"])
def test_a_list_is_named_in_any_case_of_letters(name: str) -> None:
    assert make_vocabulary(name) == make_vocabulary("cityscapes")
    assert resolved_lists("classes", name) == "cityscapes"
