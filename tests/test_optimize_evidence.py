"""The images that `optimize` measures by."""

import numpy as np
import pytest
from django.utils import timezone

from classifier.management import evidence as module
from classifier.management.evidence import (
    UnusableImages,
    decode,
    decode_training,
    pictures_in,
    stored_pictures,
)
from tests.factories import PredictionFactory
from tests.models_on_disk import SMALL
from tests.noise import write_noise

LABELS = SMALL.labels


def decoded(pictures, limit=1000):
    return decode(pictures, SMALL, limit, after_image=lambda: None)


def rows(pixels):
    return {image.tobytes() for image in pixels}


def test_images_without_labels_lie_in_the_folder_itself(tmp_path):
    write_noise(tmp_path, 9)
    found = decoded(pictures_in(tmp_path, LABELS))
    assert found.truth is None
    assert found.calibration.shape == (3, 32, 32, 3)
    assert found.measured.shape == (6, 32, 32, 3)


def test_none_is_calibrated_with_and_judged_by(tmp_path):
    write_noise(tmp_path, 30)
    found = decoded(pictures_in(tmp_path, LABELS))
    assert len(rows(found.calibration) | rows(found.measured)) == 30


def test_the_same_folder_is_split_the_same_way_every_time(tmp_path):
    write_noise(tmp_path, 12)
    first, second = (decoded(pictures_in(tmp_path, LABELS)) for _ in range(2))
    assert np.array_equal(first.measured, second.measured)
    assert first.fingerprint == second.fingerprint
    write_noise(tmp_path, 1, seed=99)
    assert decoded(pictures_in(tmp_path, LABELS)).fingerprint != first.fingerprint


def test_the_same_bytes_count_once(tmp_path):
    [file, *_] = write_noise(tmp_path, 6)
    (tmp_path / "copy.png").write_bytes(file.read_bytes())
    found = decoded(pictures_in(tmp_path, LABELS))
    assert len(found.calibration) + len(found.measured) == 6


def test_no_more_are_judged_by_than_asked_for(tmp_path):
    write_noise(tmp_path, 20)
    pictures = pictures_in(tmp_path, LABELS)
    assert len(decoded(pictures, limit=5).measured) == 5
    write_noise(tmp_path / "train" / "cat", 3)
    write_noise(tmp_path / "test" / "cat", 8, seed=1)
    assert len(decoded(pictures_in(tmp_path, LABELS), limit=5).measured) == 5


def test_sub_folders_are_labels(tmp_path):
    write_noise(tmp_path / "dog", 6)
    write_noise(tmp_path / "ship", 6, seed=1)
    found = decoded(pictures_in(tmp_path, LABELS))
    assert set(found.truth) == {1, 2}
    assert len(found.truth) == len(found.measured) == 8


def test_a_folder_for_training_gives_both_halves(tmp_path):
    write_noise(tmp_path / "train" / "dog", 4)
    tested = write_noise(tmp_path / "test" / "ship", 5, seed=1)
    (tmp_path / "train" / "dog" / "leaked.png").write_bytes(tested[0].read_bytes())
    pictures = pictures_in(tmp_path, LABELS)
    found = decoded(pictures)
    assert (len(found.calibration), len(found.measured)) == (4, 5)
    assert set(found.truth) == {2}
    pixels, truth = decode_training(pictures, found, SMALL, lambda: None)
    assert (len(pixels), set(truth)) == (4, {1})
    assert not rows(pixels) & rows(found.measured)


def test_folders_that_are_no_labels_are_refused(tmp_path):
    write_noise(tmp_path / "dogs", 2)
    with pytest.raises(UnusableImages, match="named as the model's labels; dogs is none of them"):
        pictures_in(tmp_path, LABELS)
    write_noise(tmp_path, 2)
    with pytest.raises(UnusableImages, match="both beside its sub-folders and in them"):
        pictures_in(tmp_path, LABELS)


def test_an_unreadable_file_is_named(tmp_path):
    write_noise(tmp_path, 3)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UnusableImages, match=r"broken\.png: This is not an image"):
        decoded(pictures_in(tmp_path, LABELS))


def test_one_image_is_too_few(tmp_path):
    write_noise(tmp_path, 1)
    with pytest.raises(UnusableImages, match="too few different images"):
        decoded(pictures_in(tmp_path, LABELS))


def test_pruning_needs_images_to_train_on(tmp_path):
    write_noise(tmp_path / "dog", 6)
    pictures = pictures_in(tmp_path, LABELS)
    with pytest.raises(UnusableImages, match="train/<label>"):
        decode_training(pictures, decoded(pictures), SMALL, lambda: None)


@pytest.fixture
def few_suffice(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_STORED", 3)


@pytest.mark.django_db
def test_stored_images_that_were_classified_are_taken_newest_first(few_suffice, serving):
    done = [PredictionFactory(succeeded=True, model_version=serving) for _ in range(4)]
    PredictionFactory(model_version=serving)  # waits still
    names = [picture.name for picture in stored_pictures(10).measured]
    assert names == [str(prediction.image_id) for prediction in reversed(done)]


@pytest.mark.django_db
def test_a_stored_image_that_is_lost_is_passed_over(few_suffice, serving):
    done = [PredictionFactory(succeeded=True, model_version=serving) for _ in range(4)]
    done[0].image.file.delete(save=False)
    found = decoded(stored_pictures(10))
    assert len(found.calibration) + len(found.measured) == 3


@pytest.mark.django_db
def test_too_few_stored_images_are_refused_with_the_remedy(serving):
    PredictionFactory(succeeded=True, model_version=serving, completed_at=timezone.now())
    with pytest.raises(UnusableImages, match="1 images were classified here so far, and 75 are"):
        stored_pictures(10)
