"""The queue under real threads with connections of their own, on whichever database is set."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from classifier.actions.cancel import cancel
from classifier.actions.claim import claim
from classifier.actions.delete import delete_prediction
from classifier.actions.promote import activate
from classifier.actions.settle import Outcome, settle
from classifier.actions.shadow import cast_shadows, claim_shadows
from classifier.actions.submit import Order, submit
from classifier.actions.sweep import sweep
from classifier.images import verify
from classifier.models import Alias, AliasChange, Image, ModelVersion, Prediction, Status
from tests.factories import (
    ImageFactory,
    ModelVersionFactory,
    PredictionFactory,
    UserFactory,
    image_bytes,
)

pytestmark = pytest.mark.django_db(transaction=True)

CAT, DOG = [{"label": "cat", "score": 0.9}], [{"label": "dog", "score": 0.9}]


def at_once(count, work):
    """Run `work(i)` in `count` threads that start together. Returns their results."""
    barrier = threading.Barrier(count)

    def run(i):
        barrier.wait()
        try:
            return work(i)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def queue(count):
    image, version = ImageFactory(), ModelVersionFactory()
    Prediction.objects.bulk_create(
        PredictionFactory.build(image=image, owner=image.owner, model_version=version)
        for _ in range(count)
    )


def test_two_claimers_never_share_a_row():
    queue(200)

    def claim_until_empty(_):
        ids = []
        while claimed := claim(7):
            ids += [row.id for row in claimed.predictions]
        return ids

    claimed = Counter(id for ids in at_once(4, claim_until_empty) for id in ids)
    assert len(claimed) == 200
    assert set(claimed.values()) == {1}


def test_of_two_that_settle_the_same_lease_one_wins():
    queue(20)
    claimed = claim(64)
    outcomes = [Outcome(row.id, CAT) for row in claimed.predictions]
    written = at_once(4, lambda _: settle(claimed.lease, outcomes, 0.1, 20))
    assert sorted(written) == [0, 0, 0, 20]


def test_a_cancel_and_a_claim_never_both_have_a_row():
    queue(60)

    def race(i):
        if i % 2:
            return cancel(Prediction.objects.all())
        claimed = claim(64)
        return len(claimed.predictions) if claimed else 0

    at_once(4, race)
    states = Counter(Prediction.objects.values_list("status", "attempts"))
    assert set(states) <= {(Status.CANCELED, 0), (Status.RUNNING, 1)}
    assert sum(states.values()) == 60


def test_sweeps_that_meet_bring_each_row_back_once():
    queue(30)
    claim(64)
    Prediction.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert sum(at_once(4, lambda _: sweep())) == 30
    assert set(Prediction.objects.values_list("status", "attempts")) == {(Status.QUEUED, 1)}


def test_of_a_late_settle_and_those_who_took_the_rows_over_one_writes_each_row():
    for _ in range(5):
        queue(20)
        late = claim(64)
        waiting = Prediction.objects.filter(lease=late.lease)
        waiting.update(lease_expires_at=timezone.now() - timedelta(seconds=1))

        def work(i, late=late):
            """Settle too late, or take over; returns how many rows that wrote."""
            if i == 0:
                return settle_all(late, CAT)
            sweep()
            written = 0
            while again := claim(64):  # one by one, since they were tried before
                written += settle_all(again, DOG)
            return written

        written = at_once(3, work)
        assert sum(written) == 20
        labels = Counter(row.top_label for row in Prediction.objects.all())
        assert labels == +Counter(cat=written[0], dog=sum(written[1:]))
        assert set(Prediction.objects.values_list("status", flat=True)) == {Status.SUCCEEDED}
        Prediction.objects.all().delete()


def settle_all(claimed, output):
    outcomes = [Outcome(row.id, output) for row in claimed.predictions]
    return settle(claimed.lease, outcomes, 0.1, 20)


def test_the_same_bytes_sent_at_once_are_stored_once():
    owner, version = UserFactory(), ModelVersionFactory()
    upload = verify(image_bytes())
    at_once(6, lambda i: submit(Order(owner, version), upload, f"{i}.png"))
    image = Image.objects.get()
    assert Prediction.objects.filter(image=image).count() == 6
    kept = [path for path in Path(settings.MEDIA_ROOT).glob("images/**/*") if path.is_file()]
    assert kept == [Path(image.file.path)]
    with image.file.open() as file:
        assert file.read() == upload.content


def test_an_upload_that_meets_the_deletion_of_the_same_picture_keeps_its_file():
    owner, version = UserFactory(), ModelVersionFactory()
    upload = verify(image_bytes())
    for _ in range(10):
        old = submit(Order(owner, version), upload, "a.png")

        def race(i, old=old):
            return delete_prediction(old) if i else submit(Order(owner, version), upload, "a.png")

        kept = at_once(2, race)[0]
        kept = Prediction.objects.select_related("image").get(id=kept.id)
        with kept.image.file.open() as file:
            assert file.read() == upload.content
        delete_prediction(kept)


def test_every_accepted_upload_ends_though_workers_die_all_the_time():
    """Claimers that forget every third batch, and a sweep that puts it right."""
    queue(60)

    def work(i):
        turn = 0
        while Prediction.objects.pending().exists():
            turn += 1
            claimed = claim(5)
            if claimed and (turn + i) % 3:
                outcomes = [Outcome(row.id, CAT) for row in claimed.predictions]
                settle(claimed.lease, outcomes, 0.1, len(outcomes))
            elif claimed:
                past = timezone.now() - timedelta(seconds=1)
                Prediction.objects.filter(lease=claimed.lease).update(lease_expires_at=past)
            sweep()

    at_once(3, work)
    ended = Counter(Prediction.objects.values_list("status", flat=True))
    assert set(ended) <= {Status.SUCCEEDED, Status.FAILED}
    assert sum(ended.values()) == 60
    assert not Prediction.objects.filter(status=Status.FAILED, attempts__lt=3).exists()


def test_of_versions_that_are_activated_at_once_one_is_the_champion():
    versions = ModelVersionFactory.create_batch(8)
    at_once(8, lambda i: activate(versions[i]))
    [champion] = ModelVersion.objects.filter(alias=Alias.CHAMPION)
    assert ModelVersion.objects.serving() == champion
    changes = AliasChange.objects.order_by("id")
    assert changes.last().model_version == champion
    handed_on = [change.holder_before for change in changes]
    assert handed_on == ["", *[change.holder for change in changes][:-1]]


def test_no_upload_is_lost_while_champions_change():
    versions = ModelVersionFactory.create_batch(2)
    activate(versions[0])
    owner, upload = UserFactory(), verify(image_bytes())

    def work(i):
        if i == 0:
            for turn in range(10):
                activate(versions[turn % 2])
        else:
            for turn in range(5):
                order = Order(owner, ModelVersion.objects.serving(), may_be_cached=False)
                submit(order, upload, f"{i}-{turn}.png")

    at_once(4, work)
    while claimed := claim(8, {}):
        settle(claimed.lease, [Outcome(row.id, CAT) for row in claimed.predictions], 0.1, 8)
    rows = Prediction.objects.values_list("status", "model_version")
    assert len(rows) == 15
    assert {status for status, _ in rows} == {Status.SUCCEEDED}
    assert {version for _, version in rows} <= {version.pk for version in versions}


def test_shadows_are_claimed_once():
    challenger = ModelVersionFactory(alias=Alias.CHALLENGER)
    predictions = PredictionFactory.create_batch(30, succeeded=True)
    cast_shadows(challenger, [row.id for row in predictions])
    claims = at_once(4, lambda _: [one.pk for one in claim_shadows(challenger, 10)[1]])
    claimed = Counter(key for keys in claims for key in keys)
    assert set(claimed.values()) == {1}
