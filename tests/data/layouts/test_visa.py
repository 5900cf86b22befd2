from PIL import Image

from oddlens.data import check_dataset, open_dataset
from tests.data.small_sets import facts, mask, visa


def test_the_table_gives_the_split_and_the_folder_the_mask(tmp_path):
    dataset = open_dataset(visa(tmp_path))
    images = "candle/Data/Images"
    assert facts(dataset, tmp_path) == {
        (f"{images}/Normal/0000.JPG", "candle", "train", "good", None),
        (f"{images}/Normal/0001.JPG", "candle", "test", "good", None),
        (f"{images}/Anomaly/000.JPG", "candle", "test", "anomaly", "candle/Data/Masks/Anomaly/000.png"),
    }


def test_masks_that_number_their_defects_are_no_problem(tmp_path):
    path = visa(tmp_path) / "candle" / "Data" / "Masks" / "Anomaly" / "000.png"
    drawn = Image.open(mask(path, value=1))
    drawn.paste(3, (10, 10, 12, 12))
    drawn.save(path)
    assert check_dataset(open_dataset(tmp_path)).ok


def test_rows_that_lack_something_or_name_a_picture_that_is_gone_are_reported_by_line(tmp_path):
    table = visa(tmp_path) / "split_csv" / "1cls.csv"
    table.write_text(table.read_text() + "candle,dev,normal,x.JPG,\ncandle,test,normal,candle/gone.JPG,\n")
    problems = open_dataset(tmp_path).problems
    assert [each.kind for each in problems] == ["row-invalid", "image-missing"]
    assert "line 5" in problems[0].sentence
    assert problems[1].path == tmp_path / "candle" / "gone.JPG"
