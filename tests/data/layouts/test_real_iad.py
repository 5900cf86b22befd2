import json

import pytest

from oddlens.data import open_dataset
from oddlens.errors import DataError
from tests.data.small_sets import facts, picture, real_iad


def wanted(images):
    return {
        (f"{images}audiojack/OK/S0001/a.jpg", "audiojack", "train", "good", None),
        (f"{images}audiojack/OK/S0002/b.jpg", "audiojack", "test", "good", None),
        (f"{images}audiojack/NG/HS/S0003/c.jpg", "audiojack", "test", "HS", f"{images}audiojack/NG/HS/S0003/c.png"),
    }


@pytest.mark.parametrize("listings", [".", "realiad_jsons", "realiad_jsons/realiad_jsons"])
@pytest.mark.parametrize("images", [".", "realiad_1024", "realiad_256"])
def test_listings_and_pictures_lie_where_the_archives_are_unpacked(tmp_path, listings, images):
    dataset = open_dataset(real_iad(tmp_path, listings, images))
    assert dataset.layout == "real-iad"
    assert facts(dataset, tmp_path) == wanted("" if images == "." else f"{images}/")
    assert dataset.problems == ()


def test_other_listings_are_opened_by_their_folder_or_one_by_one(tmp_path):
    folder = real_iad(tmp_path, "realiad_jsons/realiad_jsons_sv") / "realiad_jsons" / "realiad_jsons_sv"
    for path in (folder, folder / "audiojack.json"):
        dataset = open_dataset(path)
        assert dataset.layout == "real-iad"
        assert facts(dataset, tmp_path) == wanted("realiad_1024/")


def test_the_larger_of_two_sizes_is_read(tmp_path):
    for size in ("realiad_256", "realiad_1024"):
        real_iad(tmp_path, images=size)
    assert facts(open_dataset(tmp_path), tmp_path) == wanted("realiad_1024/")


def test_abnormal_pictures_to_train_on_are_reported_as_those_of_the_noisy_listings_are(tmp_path):
    path = real_iad(tmp_path) / "realiad_jsons" / "audiojack.json"
    content = json.loads(path.read_text())
    content["train"].append(content["test"].pop())
    path.write_text(json.dumps(content))
    assert [each.kind for each in open_dataset(tmp_path).problems] == ["abnormal-in-train"]


def test_entries_at_fault_and_files_that_are_gone_are_reported(tmp_path):
    path = real_iad(tmp_path) / "realiad_jsons" / "audiojack.json"
    content = json.loads(path.read_text())
    picture(tmp_path / "realiad_1024" / "audiojack" / "NG" / "d.jpg")
    content["test"] += [
        3,
        {"anomaly_class": "OK"},
        {"anomaly_class": 3, "image_path": "OK/S0001/a.jpg"},
        {"anomaly_class": "HS", "image_path": "NG/gone.jpg", "mask_path": None},
        {"anomaly_class": "HS", "image_path": "NG/d.jpg", "mask_path": "NG/gone.png"},
    ]
    path.write_text(json.dumps(content))
    problems = open_dataset(tmp_path).problems
    assert [each.kind for each in problems] == ["row-invalid"] * 3 + ["image-missing", "mask-missing"]
    assert 'entry 2 of "test"' in problems[0].sentence


@pytest.mark.parametrize("content", ["[]", '{"meta": 3}', '{"test": {}}', '{"meta": {"prefix": 3}}', "{"])
def test_a_file_that_is_no_such_listing_is_one_clear_error(tmp_path, content):
    (real_iad(tmp_path) / "realiad_jsons" / "audiojack.json").write_text(content)
    with pytest.raises(DataError, match=r"audiojack\.json (is no listing of Real-IAD|has a|cannot be read)"):
        open_dataset(tmp_path)
