"""The page of a model's champion and challenger."""

import pytest

from classifier.actions.delete import delete_model_version
from classifier.actions.promote import challenge, promote, withdraw
from classifier.models import AliasChange, ModelVersion
from tests.factories import ModelVersionFactory
from tests.trials import tried, worthy

pytestmark = pytest.mark.django_db

PAGE = "/models/everyday/"


@pytest.fixture
def challenger(champion):
    version = worthy()
    challenge(version)
    return version


def serving():
    return ModelVersion.objects.serving()


def text_of(client, path=PAGE):
    return " ".join(client.get(path).content.decode().split())


def post(client, verb, **fields):
    response = client.post(f"{PAGE}{verb}/", fields, follow=True)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_it_shows_who_is_what_and_what_came_before(boss, champion, challenger):
    page = text_of(boss)
    assert f"/models/{champion}/" in page
    assert f"Made the challenger: {challenger}" in page
    assert f"Activated: {champion}" in page
    assert "30 more reviewed pictures" in page


def test_the_models_page_leads_to_it(boss, champion, challenger):
    page = text_of(boss, "/models/")
    assert f'href="{PAGE}"' in page
    assert "Challenger" in page


def test_a_model_that_nobody_installed_has_no_page(boss):
    assert boss.get("/models/unicorns/").status_code == 404


def test_staff_promote_a_challenger_that_passes(boss, staff, champion, challenger):
    assert f"{challenger} is the champion now." in post(boss, "promote", version=challenger.version)
    assert serving() == challenger
    assert AliasChange.objects.first().by == staff


def test_one_that_does_not_pass_needs_a_reason(boss, champion):
    weak = ModelVersionFactory()
    challenge(weak)
    page = text_of(boss)
    assert "Promote all the same" in page
    assert "not passed" in page
    assert "does not pass the gate" in post(boss, "promote", version=weak.version, reason=" ")
    assert serving() == champion
    page = post(boss, "promote", version=weak.version, reason="the old one is withdrawn")
    assert serving() == weak
    assert "the old one is withdrawn" in page
    assert "Accuracy, Recall, Calibration, Latency, Robustness" in page


def test_staff_roll_back_and_withdraw_and_challenge_again(boss, champion, challenger):
    assert "is the challenger no longer" in post(boss, "withdraw")
    assert "is the challenger now" in post(boss, "challenge", version=challenger.version)
    post(boss, "promote", version=challenger.version)
    assert f"Roll back to {champion}" in text_of(boss)
    assert f"{champion} is the champion again." in post(boss, "rollback")
    assert serving() == champion
    assert "no other champion" in post(boss, "rollback")


def test_staff_may_say_why(boss, champion, challenger):
    assert "too slow" in post(boss, "withdraw", reason="too slow")
    page = post(boss, "challenge", version=challenger.version, reason="a second try")
    assert "a second try" in page
    post(boss, "promote", version=challenger.version)
    assert "worse at night" in post(boss, "rollback", reason="worse at night")


@pytest.mark.parametrize("verb", ["withdraw", "challenge", "rollback"])
def test_a_form_has_room_for_the_reason(boss, champion, challenger, verb):
    if verb == "challenge":
        withdraw("everyday")
    if verb == "rollback":
        promote(challenger)
    form = text_of(boss).split(f'action="{PAGE}{verb}/"')[1].split("</form>")[0]
    assert 'name="reason"' in form
    assert "required" not in form


@pytest.mark.parametrize("verb", ["promote", "rollback", "challenge", "withdraw"])
def test_it_is_for_staff_alone(signed_in, champion, challenger, verb):
    assert signed_in.get(PAGE).status_code == 403
    assert f'href="{PAGE}"' not in text_of(signed_in, "/models/")
    response = signed_in.post(f"{PAGE}{verb}/", {"version": challenger.version})
    assert response.status_code == 403
    assert serving() == champion


def test_a_challenger_whose_champion_was_deleted_can_be_withdrawn(boss, champion, challenger):
    delete_model_version(champion)
    assert "What a version has to show" in text_of(boss)
    assert "is the challenger no longer" in post(boss, "withdraw")


@pytest.mark.parametrize("number", ["", "x", "999", "-1", "9" * 5000])
def test_a_version_that_is_not_there_cannot_be_promoted(boss, champion, number):
    assert boss.post(f"{PAGE}promote/", {"version": number}).status_code == 404


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [
        (30, 2, "The challenger is better"),
        (2, 30, "The challenger is worse"),
        (16, 16, "No difference that could not be chance"),
    ],
)
def test_a_verdict_comes_with_its_interval(boss, champion, challenger, better, worse, verdict):
    for _ in range(better):
        tried(champion, challenger, "cat", "dog", "cat")
    for _ in range(worse):
        tried(champion, challenger, "cat", "cat", "dog")
    page = text_of(boss)
    assert verdict in page
    assert "with 95 % confidence" in page
