"""Statements that are written once: they ask and insert what the ORM's own do."""

import pytest
from django.db import models, transaction

from classifier.actions.insert import insert, insert_unless_there
from classifier.models import Image, Prediction
from classifier.queries.prepared import Prepared
from tests.factories import ImageFactory, ModelVersionFactory, PredictionFactory, UserFactory

pytestmark = pytest.mark.django_db

by_id = Prepared(lambda key: Prediction.objects.with_facts().filter(id=key), key=models.UUIDField())


def values(row):
    """What is in the database's row, without what has not been read of it."""
    return {name: value for name, value in row.__dict__.items() if not name.startswith("_")}


def test_a_row_comes_as_from_the_query_set_with_all_that_is_related_to_it():
    key = PredictionFactory(succeeded=True, metadata={"shelf": ["B7", None]}).id
    [found] = by_id(key=key)
    expected = Prediction.objects.with_facts().get(id=key)
    assert values(found) == values(expected)
    assert values(found.image) == values(expected.image)
    assert values(found.model_version) == values(expected.model_version)
    assert found.get_deferred_fields() == expected.get_deferred_fields()


def test_each_asking_has_its_own_parameters_and_one_statement(django_assert_num_queries):
    first, second = PredictionFactory(), PredictionFactory()
    with django_assert_num_queries(2):
        found = [by_id(key=row.id) for row in (first, second)]
    assert found == [[first], [second]]


def test_what_is_not_there_is_not_found():
    assert by_id(key=ImageFactory().id) == []


def test_a_null_on_the_other_side_of_a_relation_stays_none():
    with_batch = Prepared(lambda: Prediction.objects.select_related("batch"))
    PredictionFactory()
    [found] = with_batch()
    assert found.batch is None


def test_rows_are_inserted_as_the_orm_would_insert_them():
    image, version = ImageFactory(), ModelVersionFactory()
    rows = [
        Prediction(owner=image.owner, image=image, model_version=version, metadata={"n": n})
        for n in range(3)
    ]
    insert(rows)
    stored = Prediction.objects.in_bulk([row.id for row in rows])
    for row in rows:
        assert values(stored[row.id]).items() <= values(row).items()
        assert not row._state.adding


def test_no_rows_are_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        insert([])


def test_a_row_whose_twin_is_there_is_left_out_and_harms_no_transaction():
    there = ImageFactory()
    twin = Image(owner=there.owner, sha256=there.sha256, width=1, height=1, bytes=1)
    other = Image(owner=UserFactory(), sha256=there.sha256, width=1, height=1, bytes=1)
    with transaction.atomic():
        assert not insert_unless_there(twin)
        assert insert_unless_there(other)
    assert set(Image.objects.all()) == {there, other}
