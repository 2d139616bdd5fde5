"""Everything that one had classified, a page at a time."""

from django.test import Client
from django.urls import reverse

from classifier.models import Prediction, User
from classifier.web.views import predictions
from tests.factories import ImageFactory, ModelVersionFactory, PredictionFactory

URL = "/predictions/"


def many(user: User, count: int, **kwargs: object) -> list[Prediction]:
    """Predictions of one picture, oldest first."""
    shared = {"image": ImageFactory(owner=user), "model_version": ModelVersionFactory()}
    rows = [PredictionFactory(**shared, **kwargs) for _ in range(count)]
    return sorted(rows, key=lambda row: row.id)


def shown(response) -> list[Prediction]:
    return [card.prediction for card in response.context["cards"]]


def test_an_empty_history_offers_the_first_step(signed_in: Client) -> None:
    page = signed_in.get(URL).content.decode()
    assert "Classify your first picture" in page


def test_only_ones_own_are_listed_for_staff_too(client: Client, staff: User) -> None:
    mine = PredictionFactory(image__owner=staff, succeeded=True)
    PredictionFactory(succeeded=True)
    client.force_login(staff)
    assert shown(client.get(URL)) == [mine]


def test_pages_go_back_in_time_and_forth_again(signed_in: Client, user: User, monkeypatch) -> None:
    monkeypatch.setattr(predictions, "PAGE_SIZE", 2)
    rows = many(user, 5, succeeded=True)[::-1]
    first = signed_in.get(URL)
    assert shown(first) == rows[:2]
    assert first.context["page"].newer_than is None
    second = signed_in.get(URL, {"before": first.context["page"].older_than})
    assert shown(second) == rows[2:4]
    third = signed_in.get(URL, {"before": second.context["page"].older_than})
    assert shown(third) == rows[4:]
    assert third.context["page"].older_than is None
    again = signed_in.get(URL, {"after": third.context["page"].newer_than})
    assert shown(again) == rows[2:4]
    start = signed_in.get(URL, {"after": again.context["page"].newer_than})
    assert shown(start) == rows[:2]
    assert start.context["page"].newer_than is None


def test_paging_keeps_the_filter(signed_in: Client, user: User, monkeypatch) -> None:
    monkeypatch.setattr(predictions, "PAGE_SIZE", 1)
    rows = many(user, 2, succeeded=True)
    page = signed_in.get(URL, {"label": "cat"}).content.decode()
    assert f"?label=cat&amp;before={rows[1].id}" in page


def test_status_and_label_narrow_the_list(signed_in: Client, user: User) -> None:
    failed = PredictionFactory(image__owner=user, failed=True)
    cat = PredictionFactory(image__owner=user, succeeded=True)
    assert shown(signed_in.get(URL, {"status": "failed"})) == [failed]
    assert shown(signed_in.get(URL, {"label": "CA"})) == [cat]
    assert "None of your pictures" in signed_in.get(URL, {"label": "ship"}).content.decode()


def test_conditions_that_make_no_sense_are_ignored(signed_in: Client, user: User) -> None:
    row = PredictionFactory(image__owner=user, succeeded=True)
    response = signed_in.get(URL, {"status": "melted", "before": "yesterday"})
    assert shown(response) == [row]


def test_a_page_costs_the_same_few_queries_however_many_cards_it_has(
    signed_in: Client, user: User, django_assert_num_queries
) -> None:
    many(user, 20)
    with django_assert_num_queries(4):  # session, user, page, places in the queue
        signed_in.get(URL)


def test_every_card_leads_to_its_result(signed_in: Client, user: User) -> None:
    row = PredictionFactory(image__owner=user, succeeded=True)
    page = signed_in.get(URL).content.decode()
    assert reverse("prediction", args=[row.id]) in page
    assert reverse("image", args=[row.image_id, "thumbnail"]) in page
