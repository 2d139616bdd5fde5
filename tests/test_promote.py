"""Aliases: who is the champion, who challenges it, and how one comes to be that."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.actions import promote as actions
from classifier.actions.delete import delete_model_version
from classifier.actions.promote import (
    GateNotPassed,
    NotChanged,
    activate,
    challenge,
    predecessor,
    promote,
    rollback,
    withdraw,
)
from classifier.actions.submit import Order
from classifier.actions.sweep import sweep
from classifier.models import Alias, AliasChange, Kind, ModelVersion, Prediction, Shadow
from tests.factories import ModelVersionFactory, PredictionFactory
from tests.trials import ROBUST, evaluate, worthy

pytestmark = pytest.mark.django_db


def serving():
    return ModelVersion.objects.serving()


def alias_of(version):
    return ModelVersion.objects.get(pk=version.pk).alias


def test_who_is_activated_is_the_champion_and_serves(champion):
    other = ModelVersionFactory()
    activate(other)
    assert (alias_of(other), alias_of(champion)) == (Alias.CHAMPION, "")
    assert serving() == other
    assert ModelVersion.objects.named("everyday") == other


def test_each_name_has_a_champion_of_its_own(champion):
    birds = ModelVersionFactory(name="birds")
    activate(birds)
    assert alias_of(champion) == Alias.CHAMPION
    assert serving() == birds
    assert ModelVersion.objects.named("everyday") == champion


def test_no_name_has_two_champions(champion):
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersionFactory(alias=Alias.CHAMPION)


def test_a_version_that_passes_is_promoted_and_serves_from_then_on(champion, staff):
    version = worthy()
    change = promote(version, staff)
    assert serving() == version
    assert (change.kind, change.holder_before, change.by) == (Kind.PROMOTED, str(champion), staff)
    assert {line["check"]: line["passed"] for line in change.gate} == {
        "accuracy": True,
        "recall": True,
        "calibration": True,
        "latency": True,
        "robustness": True,
    }


def test_what_waits_for_the_old_champion_is_left_to_it(champion):
    waiting = PredictionFactory(model_version=champion)
    promote(worthy())
    assert Prediction.objects.get(id=waiting.id).model_version == champion


def test_a_promotion_leaves_another_model_serving_by_default(champion):
    birds = ModelVersionFactory(name="birds")
    activate(birds)
    version = worthy()
    promote(version)
    assert serving() == birds
    assert ModelVersion.objects.named("everyday") == version


def test_the_first_of_a_name_has_no_champion_to_beat():
    version = worthy()
    promote(version)
    assert serving() == version


def test_a_version_that_fails_stays_where_it_is(champion):
    version = worthy(right=100)
    with pytest.raises(GateNotPassed, match="Accuracy") as caught:
        promote(version)
    failed = [line.check for line in caught.value.lines if not line.passed]
    assert failed == ["accuracy"]
    assert serving() == champion
    assert AliasChange.objects.filter(kind=Kind.PROMOTED).count() == 0


def test_a_reason_leads_past_the_gate_and_is_kept(champion, staff):
    version = ModelVersionFactory()
    change = promote(version, staff, override="the old one may not be used any more")
    assert serving() == version
    assert change.reason == "the old one may not be used any more"
    assert not any(line["passed"] for line in change.gate)


def test_the_champion_cannot_be_promoted_again(champion):
    with pytest.raises(NotChanged, match="is the champion already"):
        promote(champion)


def test_a_rollback_goes_back_to_the_champion_before_and_once_more(champion):
    second, third = worthy(), worthy()
    promote(second)
    promote(third)
    assert rollback("everyday").model_version == second
    assert serving() == second
    assert rollback("everyday").model_version == champion
    with pytest.raises(NotChanged, match="no other champion"):
        rollback("everyday")


def test_a_version_that_came_twice_is_gone_back_from_twice(champion):
    second = worthy()
    promote(second)
    promote(champion)
    assert rollback("everyday").model_version == second
    assert rollback("everyday").model_version == champion
    with pytest.raises(NotChanged, match="no other champion"):
        rollback("everyday")


def test_the_way_back_leads_past_versions_that_are_deleted(champion):
    second, third = worthy(), worthy()
    promote(second)
    promote(third)
    delete_model_version(second)
    assert AliasChange.objects.get(holder=str(second)).model_version is None
    assert rollback("everyday").model_version == champion


def test_the_history_outlives_who_made_it(champion, staff):
    promote(worthy(), staff)
    staff.delete()
    assert AliasChange.objects.first().by_name == "grace"


def test_a_promotion_hands_on_when_its_name_was_activated(champion):
    birds = ModelVersionFactory(name="birds")
    activate(birds)
    version = worthy()
    promote(version)
    delete_model_version(birds)
    assert serving() == version


def test_one_that_served_long_ago_does_not_serve_by_being_promoted(champion):
    old = worthy(name="birds", activated_at=timezone.now())
    promote(old)
    assert serving() == champion


def test_another_champion_meanwhile_has_to_be_compared_with_first(champion, monkeypatch):
    version, other = worthy(), worthy()
    monkeypatch.setattr(actions, "gate", lambda _: activate(other) or [])
    with pytest.raises(NotChanged, match=f"{other} became the champion meanwhile"):
        promote(version)


def test_a_challenger_that_is_promoted_leaves_its_alias_in_the_history(champion):
    version = worthy()
    challenge(version)
    promote(version)
    last = AliasChange.objects.filter(alias=Alias.CHALLENGER).first()
    assert (last.holder, last.holder_before) == ("", str(version))


def test_activating_the_champion_again_leaves_the_way_back_open(champion):
    second = worthy()
    promote(second)
    activate(second)
    assert predecessor(second) == champion


def test_a_challenger_is_told_from_the_champion(champion):
    version = ModelVersionFactory()
    challenge(version)
    assert ModelVersion.objects.named("everyday@challenger") == version
    assert ModelVersion.objects.named("everyday@champion") == champion
    assert ModelVersion.objects.named("everyday") == champion


def test_there_is_one_challenger_and_it_is_not_the_champion(champion):
    first, second = ModelVersionFactory.create_batch(2)
    challenge(first)
    assert challenge(second).holder_before == str(first)
    assert alias_of(first) == ""
    with pytest.raises(NotChanged, match="champion already"):
        challenge(champion)
    with pytest.raises(NotChanged, match="challenger already"):
        challenge(second)


def test_who_has_no_champion_has_nothing_to_challenge():
    with pytest.raises(NotChanged, match="no champion"):
        challenge(ModelVersionFactory())


def test_a_challenger_that_is_withdrawn_owes_nothing_any_more(champion):
    version = ModelVersionFactory()
    challenge(version)
    Shadow.objects.create(prediction=PredictionFactory(), model_version=version)
    assert withdraw("everyday").holder_before == str(version)
    sweep()
    assert not Shadow.objects.exists()
    with pytest.raises(NotChanged, match="no challenger"):
        withdraw("everyday")


def test_a_challenger_that_is_promoted_is_the_challenger_no_more(champion):
    version = worthy()
    challenge(version)
    promote(version)
    assert alias_of(version) == Alias.CHAMPION
    assert ModelVersion.objects.of_alias("everyday", Alias.CHALLENGER) is None


def test_an_order_may_name_an_alias(champion, user):
    assert Order(user, ModelVersion.objects.asked_for("champion")).model_version == champion
    with pytest.raises(ModelVersion.DoesNotExist):
        ModelVersion.objects.asked_for("everyday@challenger")


def test_images_that_only_one_has_seen_say_nothing(champion):
    version = ModelVersionFactory(metrics=ROBUST)
    own = evaluate(version, 190, fingerprint="e" * 64)
    own.answers = [[f"other {digest}", *rest] for digest, *rest in own.answers]
    own.save()
    with pytest.raises(GateNotPassed, match="evaluate both on the same data"):
        promote(version)


def test_data_sets_that_overlap_are_compared_where_they_do(champion):
    version = ModelVersionFactory(metrics=ROBUST)
    evaluate(version, 190, fingerprint="e" * 64)
    promote(version)
    assert serving() == version
