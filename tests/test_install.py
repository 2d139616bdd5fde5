"""The verb that stores a model version."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db import connection

from classifier.actions.install import NewModel, file_on_disk, install
from classifier.models import ModelVersion
from tests.factories import SPEC

pytestmark = pytest.mark.django_db


@pytest.fixture
def new(tmp_path):
    weights = tmp_path / "some.safetensors"
    weights.write_bytes(b"weights of a network")
    return NewModel("birds", "resnet18", weights, SPEC, metrics={"top1": 0.9}, licence="MIT")


def other_weights(new):
    path = new.weights.with_name("other.safetensors")
    path.write_bytes(b"other weights")
    return replace(new, weights=path)


def test_a_model_is_stored_under_its_digest_with_all_its_facts(new):
    version = install(new)
    assert str(version) == "birds@1"
    assert version.weights.name == f"models/{version.sha256}.safetensors"
    assert version.weights.read() == b"weights of a network"
    stored = ModelVersion.objects.get()
    assert (stored.architecture, stored.engine, stored.licence) == ("resnet18", "torch", "MIT")
    assert (stored.spec, stored.metrics) == (SPEC, {"top1": 0.9})


def test_other_weights_become_the_next_version_of_the_name(new):
    install(new)
    assert str(install(other_weights(new))) == "birds@2"


def test_the_same_model_is_installed_once(new):
    assert install(new) == install(new)
    assert ModelVersion.objects.count() == 1


def test_the_same_weights_with_another_spec_are_another_version_over_the_same_file(new):
    first = install(new)
    second = install(replace(new, spec=SPEC | {"resize": 40}))
    assert second.version == 2
    assert second.weights.name == first.weights.name


def test_numbers_are_counted_for_each_name(new):
    install(new)
    assert str(install(replace(new, name="fish"))) == "fish@1"


def test_nothing_serves_until_it_is_activated(new):
    install(new)
    with pytest.raises(ModelVersion.DoesNotExist):
        ModelVersion.objects.serving()
    version = install(new, activate=True)
    assert ModelVersion.objects.serving() == version
    assert version.activated_at is not None


def test_a_file_that_a_killed_copy_left_is_replaced(new):
    version = install(new)
    path = version.weights.path
    version.delete()
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"weig")
    with file_on_disk(install(new).weights) as weights:
        assert weights.read_bytes() == b"weights of a network"


def test_a_name_that_is_no_slug_is_refused_before_anything_is_stored(new):
    with pytest.raises(ValidationError) as refusal:
        install(replace(new, name="my birds"))
    assert "name" in refusal.value.message_dict
    assert not default_storage.exists("models")


@pytest.mark.django_db(transaction=True)
def test_those_who_install_at_once_under_one_name_get_a_number_each(new):
    def install_one(number):
        try:
            return install(replace(new, spec=SPEC | {"resize": 40 + number})).version
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(install_one, range(4)))
    assert sorted(versions) == [1, 2, 3, 4]


class Elsewhere(Storage):
    """A storage whose files have no paths on this machine, as S3."""

    def _open(self, name, mode):
        return ContentFile(b"from afar")


def test_weights_of_a_storage_without_paths_are_fetched_for_the_while(new):
    version = install(new)
    version.weights.storage = Elsewhere()
    with file_on_disk(version.weights) as path:
        assert path.read_bytes() == b"from afar"
    assert not path.exists()
