"""Labelled images on disk, and the parts that they are divided into."""

import shutil

import pytest
from PIL import Image

from classifier.ml.datasets import InvalidDataset, digests, fingerprint, read_all, read_parts
from classifier.ml.splitting import Shares, class_counts, split


def picture(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade % 256, shade // 256, 0)).save(path)


@pytest.fixture
def pets(tmp_path):
    """Twenty cats, forty dogs, no two alike."""
    for label, count, first in (("cat", 20, 0), ("dog", 40, 100)):
        for i in range(count):
            picture(tmp_path / "pets" / label / f"{i:02}.png", first + i)
    return tmp_path / "pets"


def names(part):
    return {(path.parent.name, path.name) for path, _ in part.files}


def test_folders_are_classes_in_the_order_of_the_alphabet(pets):
    found = read_parts(pets)[""]
    assert found.labels == ("cat", "dog")
    assert class_counts(found) == [20, 40]


def test_a_csv_file_names_files_beside_it_and_their_labels(pets):
    (pets / "pets.csv").write_text("file,label\ncat/01.png,tabby\ndog/02.png,poodle\n")
    found = read_parts(pets / "pets.csv")[""]
    assert found.labels == ("poodle", "tabby")
    assert found.files == ((pets / "cat" / "01.png", 1), (pets / "dog" / "02.png", 0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,class\na,b\n", "names the columns file,label"),
        ("file,label\na.png,\n", "line 2: file and label must both be there"),
        ("file,label,part\na.png,cat,exam\n", "the part is 'exam'; it must be one of train,"),
        ("file,label,part\na.png,cat,test\nb.png,dog,\n", "in every line, or in none"),
        ("file,label\na.png,cat\n", "1 class; at least two are needed"),
    ],
)
def test_a_csv_file_that_makes_no_sense_is_refused(tmp_path, text, reason):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(InvalidDataset, match=reason):
        read_parts(tmp_path / "data.csv")


def test_a_class_without_images_is_reported(pets):
    (pets / "emu").mkdir()
    with pytest.raises(InvalidDataset, match="emu holds no image"):
        read_parts(pets)


def test_a_class_may_be_called_train(tmp_path):
    for label in ("train", "bus"):
        picture(tmp_path / label / "1.png", 7)
    assert read_parts(tmp_path)[""].labels == ("bus", "train")


def test_all_is_judged_by_where_there_are_no_parts_and_else_the_part_for_it(pets, tmp_path):
    assert len(read_all(pets).files) == 60
    for part, label, shade in [("train", "cat", 1), ("train", "dog", 2), ("test", "cat", 3)]:
        picture(tmp_path / "parts" / part / label / "1.png", shade)
    picture(tmp_path / "parts" / "test" / "dog" / "1.png", 4)
    assert names(read_all(tmp_path / "parts")) == {("cat", "1.png"), ("dog", "1.png")}


def test_a_split_takes_the_same_share_of_every_label(pets):
    parts = split(pets, Shares(test=0.2, validation=0.1))
    assert class_counts(parts.test) == [4, 8]
    assert class_counts(parts.validation) == [2, 4]
    assert class_counts(parts.train) == [14, 28]
    assert len(names(parts.train) | names(parts.validation) | names(parts.test)) == 60


def test_the_same_seed_draws_the_same_images_and_another_one_others(pets):
    first, again, other = (split(pets, Shares(), seed) for seed in (0, 0, 1))
    assert names(first.test) == names(again.test)
    assert names(first.test) != names(other.test)


def test_images_with_the_same_bytes_stay_together(pets):
    for i in range(20):
        shutil.copy(pets / "cat" / f"{i:02}.png", pets / "cat" / f"copy-{i:02}.png")
    parts = split(pets, Shares(test=0.5, validation=0))
    test = {name.removeprefix("copy-") for label, name in names(parts.test) if label == "cat"}
    train = {name.removeprefix("copy-") for label, name in names(parts.train) if label == "cat"}
    assert not test & train
    assert len(test) == 10


def test_an_image_under_two_labels_teaches_nothing_and_is_left_out(pets):
    shutil.copy(pets / "cat" / "00.png", pets / "dog" / "cat.png")
    parts = split(pets, Shares())
    assert [path.name for path in parts.contradictory] == ["00.png", "cat.png"]
    used = names(parts.train) | names(parts.validation) | names(parts.test)
    assert not used & {("cat", "00.png"), ("dog", "cat.png")}


def test_an_image_in_two_parts_is_reported(pets, tmp_path):
    shutil.copytree(pets, tmp_path / "parts" / "train")
    for label in ("cat", "dog"):
        (tmp_path / "parts" / "test" / label).mkdir(parents=True)
        shutil.copy(pets / label / "05.png", tmp_path / "parts" / "test" / label / "x.png")
    with pytest.raises(InvalidDataset, match=r"2 images of .* are in t.* too; remove them from"):
        split(tmp_path / "parts", Shares())


def test_the_parts_must_have_the_same_classes(pets, tmp_path):
    shutil.copytree(pets, tmp_path / "parts" / "train")
    shutil.copytree(pets / "cat", tmp_path / "parts" / "test" / "cat")
    with pytest.raises(InvalidDataset, match="same folders; not in both are dog"):
        split(tmp_path / "parts", Shares())


def test_too_few_images_to_divide_are_reported(tmp_path):
    for label, shade in (("cat", 1), ("dog", 2)):
        picture(tmp_path / label / "1.png", shade)
    with pytest.raises(InvalidDataset, match="cat has 1 images; that is too few"):
        split(tmp_path, Shares())


@pytest.mark.parametrize("shares", [(0, 0.1), (1, 0), (0.5, 0.5), (0.2, -0.1)])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(InvalidDataset, match="leave something to train on"):
        Shares(*shares)


def test_files_that_are_not_there_are_all_named(pets):
    (pets / "pets.csv").write_text("file,label\nno.png,cat\nnone.png,dog\ncat/00.png,cat\n")
    with pytest.raises(InvalidDataset, match=r"2 files cannot be read: .*/no\.png, .*/none\.png"):
        split(pets / "pets.csv", Shares())


def test_a_saved_split_is_a_data_set_with_the_same_parts(pets, tmp_path):
    parts = split(pets, Shares(), seed=3)
    parts.write(tmp_path / "split.csv")
    again = split(tmp_path / "split.csv", Shares(test=0.5))
    for name in ("train", "validation", "test"):
        assert names(getattr(again, name)) == names(getattr(parts, name))
    assert again.fingerprint == parts.fingerprint


def test_a_fingerprint_is_of_the_images_and_labels_wherever_they_lie(pets, tmp_path):
    def of(folder):
        found = read_all(folder)
        return fingerprint(found, digests(path for path, _ in found.files))

    shutil.copytree(pets, tmp_path / "moved")
    before = of(pets)
    assert of(tmp_path / "moved") == before
    (pets / "cat").rename(pets / "tiger")
    assert of(pets) != before


def test_labels_that_a_model_does_not_know_are_named(pets):
    found = read_all(pets)
    assert found.with_labels_of(("dog", "emu", "cat")).files[0][1] == 2
    with pytest.raises(InvalidDataset, match="does not know the label cat; its labels are dog"):
        found.with_labels_of(("dog",))
