"""A page follows its pending predictions with one request, and only while there are any."""

import uuid

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Prediction, Status, User
from classifier.web.cards import draw
from tests.factories import PredictionFactory

URL = "/predictions/status/"
POLLS = 'hx-trigger="every 1s'


def state(prediction: Prediction) -> str:
    return draw([prediction])[0].state


def succeed(prediction: Prediction) -> None:
    Prediction.objects.filter(id=prediction.id).update(
        status=Status.SUCCEEDED,
        output=[{"label": "cat", "score": 0.9}],
        top_label="cat",
        top_score=0.9,
        completed_at=timezone.now(),
    )


def test_where_nothing_is_new_the_page_is_only_told_to_go_on(signed_in: Client, user: User) -> None:
    waiting = PredictionFactory(image__owner=user)
    page = signed_in.get(URL, {"seen": state(waiting)}).content.decode()
    assert POLLS in page
    assert "hx-swap-oob" not in page


def test_only_the_cards_that_changed_are_sent(signed_in: Client, user: User) -> None:
    done = PredictionFactory(image__owner=user)
    running = PredictionFactory(image__owner=user, status=Status.RUNNING, lease=uuid.uuid4())
    seen = [state(done), state(running)]
    succeed(done)
    page = signed_in.get(URL, {"seen": seen}).content.decode()
    assert f'id="state-{done.id}" hx-swap-oob="true"' in " ".join(page.split())
    assert str(running.id) not in page
    assert POLLS in page


def test_polling_stops_when_nothing_is_pending(signed_in: Client, user: User) -> None:
    done = PredictionFactory(image__owner=user)
    seen = state(done)
    succeed(done)
    page = signed_in.get(URL, {"seen": seen}).content.decode()
    assert 'id="poll"' in page
    assert POLLS not in page
    assert f"{done.image.original_name}: cat, 90.0" in page


def test_what_is_done_is_announced_in_one_message(signed_in: Client, user: User) -> None:
    rows = [PredictionFactory(image__owner=user) for _ in range(3)]
    seen = [state(row) for row in rows]
    for row in rows:
        succeed(row)
    page = signed_in.get(URL, {"seen": seen}).content.decode()
    assert page.count('id="announcement"') == 1
    assert "3 pictures are done." in page


def test_a_card_moves_up_in_the_line(signed_in: Client, user: User) -> None:
    first = PredictionFactory()
    mine = PredictionFactory(image__owner=user)
    seen = state(mine)
    assert seen.endswith(".queued.2")
    Prediction.objects.filter(id=first.id).update(status=Status.CANCELED)
    assert "no. 1" in signed_in.get(URL, {"seen": seen}).content.decode()


def test_a_deleted_prediction_leaves_the_page(signed_in: Client, user: User) -> None:
    gone = uuid.uuid4()
    page = signed_in.get(URL, {"seen": f"{gone}.queued."}).content.decode()
    assert f'id="prediction-{gone}" hx-swap-oob="delete"' in page
    assert POLLS not in page


def test_nobody_learns_the_state_of_what_is_not_theirs(signed_in: Client) -> None:
    foreign = PredictionFactory(succeeded=True)
    page = signed_in.get(URL, {"seen": f"{foreign.id}.queued."}).content.decode()
    assert "cat" not in page


def test_what_is_no_state_is_passed_over(signed_in: Client) -> None:
    response = signed_in.get(URL, {"seen": ["nonsense", ""]})
    assert response.status_code == 200
    assert POLLS not in response.content.decode()


def test_a_full_list_is_asked_for_again_as_there_may_be_more(signed_in: Client, user: User) -> None:
    rows = [PredictionFactory(image__owner=user, succeeded=True) for _ in range(2)]
    seen = [f"{row.id}.running." for row in rows] * 20
    assert POLLS in signed_in.get(URL, {"seen": seen}).content.decode()


def test_a_page_polls_only_while_something_is_pending(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user)
    assert POLLS in signed_in.get(reverse("history")).content.decode()
    succeed(prediction)
    assert POLLS not in signed_in.get(reverse("history")).content.decode()


def test_the_result_page_follows_its_prediction_alone(signed_in: Client, user: User) -> None:
    prediction = PredictionFactory(image__owner=user)
    url = reverse("prediction", args=[prediction.id])
    assert POLLS in signed_in.get(url).content.decode()
    ask = {"query_params": {"seen": state(prediction)}, "headers": {"HX-Request": "true"}}
    assert signed_in.get(url, **ask).status_code == 204
    succeed(prediction)
    answer = signed_in.get(url, **ask).content.decode()
    assert POLLS not in answer
    assert "<html" not in answer
    assert "90.0" in answer


def test_a_page_whose_session_has_ended_reloads_into_the_login(client: Client, db: None) -> None:
    response = client.get(URL, headers={"HX-Request": "true"}, follow=True)
    assert response.headers["HX-Refresh"] == "true"
