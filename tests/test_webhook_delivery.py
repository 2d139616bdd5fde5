"""What is owed to a webhook is sent over real sockets, signed, tried again, and settled once."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from django.conf import settings as configured
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from classifier import bells
from classifier.actions import deliver as deliver_actions
from classifier.actions.deliver import (
    MOST_ATTEMPTS,
    PAUSES,
    Reply,
    claim_due,
    ready,
    settle_delivery,
    tidy_deliveries,
)
from classifier.actions.sweep import sweep
from classifier.actions.webhooks import (
    Paused,
    change,
    pause,
    redeliver,
    resume,
    rotate,
    send_test,
)
from classifier.embedded.installation import _chores
from classifier.models import Delivery, DeliveryStatus, Prediction, Status
from classifier.models.ids import first_uuid7
from classifier.worker import deliver, sending
from classifier.worker.deliver import deliver_due
from classifier.worker.places import Places
from tests.factories import DeliveryFactory, EndpointFactory, PredictionFactory
from tests.receiver import certificate, code, receiving
from tests.test_queue_races import at_once

PENDING, SUCCEEDED, FAILED = DeliveryStatus.PENDING, DeliveryStatus.SUCCEEDED, DeliveryStatus.FAILED
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _this_machine_is_allowed(settings):
    settings.WEBHOOK_ALLOWED = (ip_network("127.0.0.0/8"),)


@pytest.fixture(autouse=True)
def _no_alarm_left():
    """A retry's alarm must not ring in the midst of another test."""
    yield
    if deliver._alarm is not None:
        deliver._alarm.cancel()


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


@pytest.fixture
def endpoint(db, user, receiver):
    return EndpointFactory(owner=user, url=receiver.url)


def after_an_attempt(delivery):
    deliver_due()
    delivery.refresh_from_db()
    return delivery


def make_due(delivery, **fields):
    Delivery.objects.filter(id=delivery.id).update(due_at=timezone.now(), **fields)


class TestAMessage:
    def test_is_what_the_reference_library_verifies(self, endpoint, receiver):
        delivery = DeliveryFactory(endpoint=endpoint)
        deliver_due()
        [request] = receiver.received
        verified = Webhook(endpoint.secret).verify(request.body, dict(request.headers))
        assert verified == delivery.payload
        assert request.headers["webhook-id"] == f"msg_{delivery.id.hex}"
        assert request.headers["Content-Type"] == "application/json"
        assert request.path == "/hook"
        assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"

    def test_is_compact(self, endpoint, receiver):
        DeliveryFactory(endpoint=endpoint, payload={"type": "t", "data": {"a": [1, "ä"]}})
        deliver_due()
        body = receiver.received[0].body
        assert json.loads(body) == {"type": "t", "data": {"a": [1, "ä"]}}
        assert b" " not in body

    def test_is_refused_by_the_library_if_a_byte_or_the_secret_is_another(self, endpoint, receiver):
        DeliveryFactory(endpoint=endpoint)
        deliver_due()
        [request] = receiver.received
        headers = dict(request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint.secret).verify(request.body + b" ", headers)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 32).verify(request.body, headers)

    def test_is_signed_with_the_old_secret_too_for_a_day_after_a_rotation(self, endpoint, receiver):
        old = endpoint.secret
        rotate(endpoint)
        DeliveryFactory(endpoint=endpoint)
        deliver_due()
        [request] = receiver.received
        assert len(request.headers["webhook-signature"].split(" ")) == 2
        for secret in (old, endpoint.secret):
            Webhook(secret).verify(request.body, dict(request.headers))

    def test_is_signed_with_the_new_secret_alone_a_day_later(self, endpoint, receiver):
        old = endpoint.secret
        rotate(endpoint)
        endpoint.previous_secret_until = timezone.now()
        endpoint.save()
        DeliveryFactory(endpoint=endpoint)
        deliver_due()
        [request] = receiver.received
        Webhook(endpoint.secret).verify(request.body, dict(request.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(request.body, dict(request.headers))

    def test_of_a_test_says_so(self, endpoint, receiver):
        send_test(endpoint)
        deliver_due()
        verified = Webhook(endpoint.secret).verify(
            receiver.received[0].body, dict(receiver.received[0].headers)
        )
        assert verified["type"] == "endpoint.test"


class TestAnAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_of_2xx_ends_the_delivery(self, endpoint, receiver, status):
        receiver.answer = code(status)
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert (delivery.status, delivery.response_code) == (SUCCEEDED, status)
        assert (delivery.attempts, delivery.error) == (1, "")
        assert delivery.completed_at
        assert delivery.lease is None

    @pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 408, 500, 502, 599])
    def test_of_anything_else_means_trying_again(self, endpoint, receiver, status):
        receiver.answer = code(status)
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert (delivery.status, delivery.response_code) == (PENDING, status)
        assert delivery.error
        assert delivery.due_at > timezone.now()
        assert delivery.lease is None

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_is_a_redirect_is_not_followed(self, endpoint, receiver, status):
        with receiving() as elsewhere:
            receiver.answer = code(status, Location=elsewhere.url)
            delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
            assert elsewhere.received == []
        assert (delivery.status, delivery.response_code) == (PENDING, status)
        assert "redirect" in delivery.error

    def test_of_410_ends_the_delivery_and_disables_the_endpoint(self, endpoint, receiver):
        receiver.answer = code(410)
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        endpoint.refresh_from_db()
        assert (delivery.status, delivery.attempts) == (FAILED, 1)
        assert not endpoint.is_enabled
        assert "410" in endpoint.disabled_reason

    def test_of_410_from_an_address_given_with_a_request_ends_that_delivery_only(
        self, user, receiver
    ):
        receiver.answer = code(410)
        endpoint = EndpointFactory(owner=user, url="")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint, url=receiver.url))
        endpoint.refresh_from_db()
        assert delivery.status == FAILED
        assert endpoint.is_enabled

    def test_of_410_from_the_address_before_leaves_the_new_one_alone(self, endpoint, receiver):
        DeliveryFactory(endpoint=endpoint)
        [claimed] = claim_due(endpoint.id, 1)
        change(endpoint, url="https://8.8.8.8/new")
        settle_delivery(claimed, Reply(410))
        endpoint.refresh_from_db()
        assert endpoint.is_enabled

    @pytest.mark.parametrize("status", [429, 503])
    def test_may_say_how_long_to_wait(self, endpoint, receiver, status):
        receiver.answer = code(status, Retry_After="3600")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert abs(delivery.due_at - timezone.now() - timedelta(hours=1)) < MINUTE

    @pytest.mark.parametrize("status", [400, 500])
    def test_of_another_kind_may_not(self, endpoint, receiver, status):
        receiver.answer = code(status, Retry_After="3600")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert delivery.due_at - timezone.now() < MINUTE

    def test_may_put_off_for_a_day_at_most(self, endpoint, receiver):
        receiver.answer = code(503, Retry_After="9" * 5000)
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert abs(delivery.due_at - timezone.now() - timedelta(days=1)) < MINUTE

    def test_never_brings_the_next_attempt_forward(self, endpoint, receiver):
        receiver.answer = code(503, Retry_After="1")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint, attempts=3))
        assert delivery.due_at - timezone.now() > timedelta(hours=1)

    def test_with_an_endless_body_is_taken_by_its_code_alone(self, endpoint, receiver):
        def pour(handler):
            handler.send_response(200)
            handler.end_headers()
            while not receiver.open_again.is_set():
                handler.wfile.write(b"x" * 65536)

        receiver.answer = pour
        begun = time.monotonic()
        assert after_an_attempt(DeliveryFactory(endpoint=endpoint)).status == SUCCEEDED
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("99999999999", 86400),
        ("Fri, 02 Jan 2026 00:10:00 GMT", 600),
        ("Fri, 02 Jan 2026 00:10:00", 600),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0),
        ("Fri, 02 Jan 2099 00:00:00 GMT", 86400),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        ("٣", 0),
        ("Fri, 99 Jan 99999 99:99:99 GMT", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header, seconds):
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert sending.retry_after(header, now) == timedelta(seconds=seconds)


class TestRetries:
    def test_come_after_the_pauses_of_the_standard_each_a_little_off(self, endpoint):
        for attempt, pause_after in enumerate(PAUSES, start=1):
            offsets = set()
            for _ in range(20):
                delivery = DeliveryFactory(endpoint=endpoint, attempts=attempt - 1)
                [claimed] = claim_due(endpoint.id, 1)
                before = timezone.now()
                settle_delivery(claimed, Reply(500))
                delivery.refresh_from_db()
                offsets.add((delivery.due_at - before) / pause_after)
                delivery.delete()
            assert len(offsets) == 20
            assert 0.9 <= min(offsets) < max(offsets) <= 1.1 + timedelta(seconds=1) / pause_after
        assert [pause.total_seconds() for pause in PAUSES] == [
            5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400,
        ]  # fmt: skip

    def test_end_after_the_tenth_attempt(self, endpoint, receiver):
        receiver.answer = code(500)
        delivery = DeliveryFactory(endpoint=endpoint)
        for attempt in range(1, MOST_ATTEMPTS + 1):
            make_due(delivery)
            after_an_attempt(delivery)
            assert delivery.attempts == attempt
            assert delivery.status == (FAILED if attempt == 10 else PENDING)
        make_due(delivery)
        after_an_attempt(delivery)
        assert len(receiver.received) == 10
        assert delivery.completed_at

    def test_carry_the_same_id_and_body_and_a_date_of_their_own(self, endpoint, receiver):
        receiver.answer = code(500)
        delivery = DeliveryFactory(endpoint=endpoint)
        deliver_due()
        make_due(delivery)
        time.sleep(1.1)
        deliver_due()
        first, second = receiver.received
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
        assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]

    def test_wait_for_their_time(self, endpoint, receiver):
        DeliveryFactory(endpoint=endpoint, due_at=timezone.now() + MINUTE)
        deliver_due()
        assert receiver.received == []

    def test_that_are_due_soon_ring_by_themselves(self, endpoint, receiver, broker, monkeypatch):
        monkeypatch.setattr(deliver_actions, "PAUSES", (timedelta(seconds=0.3),))
        receiver.answer = code(500)
        DeliveryFactory(endpoint=endpoint)
        deliver_due()
        assert broker.llen("deliver") == 0
        deadline = time.monotonic() + 10
        while not broker.llen("deliver"):
            assert time.monotonic() < deadline, "nothing rings before the next sweep"
            time.sleep(0.05)

    def test_go_to_the_new_address_once_it_is_changed(self, endpoint, receiver):
        receiver.answer = code(500)
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        with receiving() as elsewhere:
            change(endpoint, url=elsewhere.url)
            make_due(delivery)
            assert after_an_attempt(delivery).status == SUCCEEDED
            assert len(elsewhere.received) == 1
        assert len(receiver.received) == 1


class TestPausing:
    def test_holds_back_what_is_pending_until_the_endpoint_is_resumed(self, endpoint, receiver):
        delivery = DeliveryFactory(endpoint=endpoint)
        pause(endpoint)
        assert after_an_attempt(delivery).status == PENDING
        assert receiver.received == []
        resume(endpoint)
        assert after_an_attempt(delivery).status == SUCCEEDED

    def test_keeps_the_sweep_from_ringing(self, endpoint, broker):
        DeliveryFactory(endpoint=endpoint)
        pause(endpoint)
        sweep()
        assert broker.llen("deliver") == 0
        resume(endpoint)
        bells.hear("deliver")
        sweep()
        assert broker.llen("deliver") == 1

    def test_refuses_tests_and_redeliveries(self, endpoint):
        delivery = DeliveryFactory(endpoint=endpoint, status=FAILED)
        pause(endpoint)
        with pytest.raises(Paused):
            send_test(endpoint)
        with pytest.raises(Paused):
            redeliver(delivery)


class TestRedelivery:
    @pytest.mark.parametrize("status", [SUCCEEDED, FAILED, PENDING])
    def test_sends_again_at_once_under_the_same_id(self, endpoint, receiver, status):
        delivery = DeliveryFactory(
            endpoint=endpoint, status=status, attempts=10, due_at=timezone.now() + MINUTE
        )
        assert redeliver(delivery)
        after_an_attempt(delivery)
        assert receiver.ids == [delivery.message_id]
        assert (delivery.status, delivery.attempts) == (SUCCEEDED, 1)

    def test_waits_for_the_attempt_under_way(self, endpoint):
        delivery = DeliveryFactory(endpoint=endpoint)
        [claimed] = claim_due(endpoint.id, 1)
        assert not redeliver(delivery)
        assert settle_delivery(claimed, Reply(200))


class TestTheOtherSide:
    def test_that_refuses_the_connection_is_tried_again(self, endpoint, free_port):
        delivery = DeliveryFactory(endpoint=endpoint, url=f"http://127.0.0.1:{free_port}/")
        after_an_attempt(delivery)
        assert (delivery.status, delivery.response_code) == (PENDING, None)
        assert delivery.error == "There was no connection: connection refused."

    def test_that_says_nothing_is_given_up_in_time(self, endpoint, receiver, monkeypatch):
        monkeypatch.setattr(sending, "SECONDS", 0.5)
        receiver.answer = receiver.hang
        begun = time.monotonic()
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert 0.4 < time.monotonic() - begun < 3
        assert delivery.error == "There was no answer within 0.5 seconds."

    @pytest.mark.parametrize(
        "drop", [b"HTTP/1.1 100 Continue\r\n\r\n", b"H", b"HTTP/1.1 200 OK\r\nA: "]
    )
    def test_that_drips_its_answer_is_given_up_as_soon(self, endpoint, receiver, monkeypatch, drop):
        monkeypatch.setattr(sending, "SECONDS", 0.7)

        def drip(handler):
            handler.wfile.write(drop)
            while not receiver.open_again.wait(0.1):
                handler.wfile.write(drop if drop.endswith(b"\n\r\n") else b"a")

        receiver.answer = drip
        begun = time.monotonic()
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert time.monotonic() - begun < 3
        assert delivery.error == "There was no answer within 0.7 seconds."

    @pytest.mark.parametrize(
        "nonsense", [b"\x00\xff\r\n\r\n", b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 abc\r\n\r\n"]
    )
    def test_that_speaks_no_http_is_tried_again(self, endpoint, receiver, nonsense):
        def babble(handler):
            handler.wfile.write(nonsense)
            handler.close_connection = True

        receiver.answer = babble
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert (delivery.status, delivery.response_code) == (PENDING, None)
        assert "no answer that can be read" in delivery.error

    def test_that_sends_headers_without_end_is_given_up(self, endpoint, receiver):
        def pour(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for i in range(100_000):
                handler.wfile.write(b"x-%d: y\r\n" % i)

        receiver.answer = pour
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert (delivery.status, delivery.response_code) == (PENDING, None)

    def test_that_turned_private_is_refused_when_it_is_sent_to(self, endpoint, receiver, settings):
        delivery = DeliveryFactory(endpoint=endpoint)
        settings.WEBHOOK_ALLOWED = ()
        after_an_attempt(delivery)
        assert receiver.received == []
        assert delivery.status == PENDING
        assert "https" in delivery.error

    def test_that_has_no_name_is_tried_again(self, endpoint):
        delivery = DeliveryFactory(endpoint=endpoint, url="https://nobody.invalid/")
        after_an_attempt(delivery)
        assert delivery.status == PENDING
        assert "cannot be looked up" in delivery.error

    def test_is_reached_past_any_proxy_of_the_environment(self, endpoint, receiver, monkeypatch):
        with receiving() as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert after_an_attempt(DeliveryFactory(endpoint=endpoint)).status == SUCCEEDED
            assert proxy.received == []


class TestOverTls:
    """A name that leads to this machine, and a certificate for it."""

    @pytest.fixture(autouse=True)
    def _leads_here(self, monkeypatch):
        real = socket.getaddrinfo
        self.asked = []

        def look_up(host, *args, **kwargs):
            self.asked.append(host)
            return real("127.0.0.1" if str(host).endswith(".example") else host, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        sending._tls.cache_clear()
        yield
        sending._tls.cache_clear()

    @pytest.fixture
    def secure(self, tmp_path, monkeypatch):
        path = certificate(tmp_path, "hooks.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        self.names = []
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with receiving(context) as running:
            yield running

    def test_name_and_certificate_are_those_of_the_url(self, user, secure):
        endpoint = EndpointFactory(owner=user, url=f"https://hooks.example:{secure.port}/a?b=c")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert (delivery.error, delivery.status) == ("", SUCCEEDED)
        [request] = secure.received
        assert request.headers["Host"] == f"hooks.example:{secure.port}"
        assert request.path == "/a?b=c"
        assert self.names == ["hooks.example"]

    def test_the_connection_goes_to_the_address_that_was_checked(self, user, secure):
        endpoint = EndpointFactory(owner=user, url=f"https://hooks.example:{secure.port}/")
        assert after_an_attempt(DeliveryFactory(endpoint=endpoint)).status == SUCCEEDED
        assert self.asked.count("hooks.example") == 1

    def test_a_certificate_for_another_name_is_refused(self, user, secure):
        endpoint = EndpointFactory(owner=user, url=f"https://other.example:{secure.port}/")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert delivery.status == PENDING
        assert "certificate is refused" in delivery.error
        assert secure.received == []

    def test_a_certificate_that_nobody_vouches_for_is_refused(self, user, secure, monkeypatch):
        monkeypatch.delenv("SSL_CERT_FILE")
        endpoint = EndpointFactory(owner=user, url=f"https://hooks.example:{secure.port}/")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert "certificate is refused" in delivery.error
        assert secure.received == []

    def test_what_speaks_no_tls_is_tried_again(self, user, receiver):
        endpoint = EndpointFactory(owner=user, url=f"https://hooks.example:{receiver.port}/")
        delivery = after_an_attempt(DeliveryFactory(endpoint=endpoint))
        assert delivery.error == "There was no connection: no TLS."


def take_all(places, waiting):
    """Take every place that is offered. Returns how many each endpoint got."""
    taken = Counter()
    for key, room in places.share_out(waiting):
        for _ in range(room):
            places.take(key)
            taken[key] += 1
    return taken


class TestFairness:
    def test_places_go_to_those_with_the_fewest_under_way(self):
        places = Places(in_all=6, of_one=4)
        for key in "aaaab":
            places.take(key)
        assert take_all(places, "abc") == {"c": 1}

    def test_places_are_shared_out_evenly_and_none_twice(self):
        places = Places(in_all=8, of_one=4)
        assert take_all(places, "abc") == {"a": 2, "b": 2, "c": 2}
        assert take_all(places, "abc").total() == 2
        assert take_all(places, "abcd") == {}

    def test_places_that_are_given_back_are_free_again(self):
        places = Places(in_all=1, of_one=1)
        assert take_all(places, "a") == {"a": 1}
        assert places.are_taken
        assert take_all(places, "ab") == {}
        places.give_back("a")
        assert not places.are_taken
        assert take_all(places, "ab").total() == 1

    def test_slow_receivers_with_long_backlogs_do_not_hold_up_another(
        self, user, receiver, monkeypatch
    ):
        """More slow ones than there are places, all with older deliveries."""
        monkeypatch.setattr(sending, "SECONDS", 0.5)
        slow_seen = []
        with receiving() as slow:
            slow.answer = slow.hang
            for _ in range(deliver.AT_ONCE + 4):
                one = EndpointFactory(owner=user, url=slow.url)
                for _ in range(2):
                    DeliveryFactory(endpoint=one, due_at=timezone.now() - MINUTE)
            good = EndpointFactory(owner=user, url=receiver.url)
            DeliveryFactory.create_batch(3, endpoint=good)
            receiver.answer = lambda handler: (
                slow_seen.append(len(slow.received)),
                code(200)(handler),
            )
            deliver_due()
        assert len(receiver.received) == 3
        # It never waited for a second turn of everybody else, some of whom may have begun theirs.
        assert slow_seen[0] < 2 * deliver.AT_ONCE

    def test_one_endpoint_takes_a_few_places_only(self, endpoint, receiver):
        most, under_way, lock = 0, 0, threading.Lock()

        def count(handler):
            nonlocal most, under_way
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.05)
            with lock:
                under_way -= 1
            code(200)(handler)

        receiver.answer = count
        DeliveryFactory.create_batch(20, endpoint=endpoint)
        deliver_due()
        assert len(receiver.received) == 20
        assert 1 < most <= deliver.AT_ONCE_OF_ONE


def test_what_is_old_is_swept_away_and_nothing_else(endpoint):
    now = timezone.now()
    long_ago, lately = now - timedelta(days=31), now - timedelta(days=29)
    old = first_uuid7(long_ago)

    def delivery(n, **fields):
        return DeliveryFactory(endpoint=endpoint, id=type(old)(int=old.int + n), **fields)

    gone = [
        delivery(1, status=SUCCEEDED, completed_at=long_ago),
        delivery(2, status=FAILED, completed_at=long_ago),
        delivery(3, due_at=long_ago),
    ]
    kept = [
        delivery(4, status=SUCCEEDED, completed_at=lately),
        delivery(5, due_at=now),
        DeliveryFactory(endpoint=endpoint, status=SUCCEEDED, completed_at=now),
    ]
    sweep()
    assert set(Delivery.objects.all()) == set(kept)
    assert len(gone) == 3


def test_a_delivery_that_killed_ten_processes_has_failed(endpoint):
    past = timezone.now() - MINUTE
    delivery = DeliveryFactory(
        endpoint=endpoint, attempts=10, lease=endpoint.id, lease_expires_at=past
    )
    other = DeliveryFactory(endpoint=endpoint, attempts=9, lease=endpoint.id, lease_expires_at=past)
    tidy_deliveries()
    delivery.refresh_from_db()
    other.refresh_from_db()
    assert (delivery.status, delivery.lease) == (FAILED, None)
    assert delivery.error
    assert other.status == PENDING


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_two_claimers_never_share_a_delivery(self):
        endpoint = EndpointFactory()
        DeliveryFactory.create_batch(60, endpoint=endpoint)

        def claim_until_empty(_):
            ids = []
            while claimed := claim_due(endpoint.id, 4):
                ids += [row.id for row in claimed]
            return ids

        claimed = Counter(id for ids in at_once(4, claim_until_empty) for id in ids)
        assert len(claimed) == 60
        assert set(claimed.values()) == {1}

    def test_of_two_that_settle_the_same_claim_one_wins(self):
        DeliveryFactory()
        [endpoint_id] = ready()
        [claimed] = claim_due(endpoint_id, 4)
        settled = at_once(4, lambda i: settle_delivery(claimed, Reply(200 if i else 500)))
        assert sorted(settled) == [False, False, False, True]

    def test_a_late_answer_changes_nothing(self):
        DeliveryFactory()
        [endpoint_id] = ready()
        [late] = claim_due(endpoint_id, 4)
        Delivery.objects.update(lease_expires_at=timezone.now() - MINUTE)
        [claimed] = claim_due(endpoint_id, 4)
        assert not settle_delivery(late, Reply(500))
        assert settle_delivery(claimed, Reply(200))
        delivery = Delivery.objects.get()
        assert (delivery.status, delivery.attempts) == (SUCCEEDED, 2)

    def test_threads_that_send_open_no_connection_to_the_database(self, receiver, monkeypatch):
        connected = []
        connect = BaseDatabaseWrapper.connect

        def noted(wrapper):
            connected.append(threading.current_thread().name)
            connect(wrapper)

        monkeypatch.setattr(BaseDatabaseWrapper, "connect", noted)
        DeliveryFactory.create_batch(8, endpoint=EndpointFactory(url=receiver.url))
        connection.close()
        deliver_due()
        assert len(receiver.received) == 8
        assert connected
        assert not [name for name in connected if name.startswith("send")]

    def test_redeliveries_that_meet_an_attempt_send_no_more_than_both(self, receiver):
        endpoint = EndpointFactory(url=receiver.url)
        delivery = DeliveryFactory(endpoint=endpoint)
        at_once(4, lambda i: redeliver(delivery) if i % 2 else deliver_due())
        deliver_due()
        assert len(receiver.received) in {1, 2, 3}
        assert set(receiver.ids) == {delivery.message_id}
        assert Delivery.objects.get().status == SUCCEEDED

    def test_what_becomes_due_meanwhile_does_not_wait_for_the_slow(self, receiver):
        """The bell's own task is over at once; the thread that drains hears of it."""
        with receiving() as slow:
            slow.answer = slow.hang
            DeliveryFactory(endpoint=EndpointFactory(url=slow.url))
            draining = threading.Thread(target=lambda: at_once(1, lambda _: deliver_due()))
            draining.start()
            assert slow.arrived.acquire(timeout=10)
            DeliveryFactory(endpoint=EndpointFactory(url=receiver.url))
            begun = time.monotonic()
            deliver_due()
            assert time.monotonic() - begun < 1
            assert receiver.arrived.acquire(timeout=5)
            assert draining.is_alive()
        draining.join()
        assert not ready()


@pytest.fixture
def environment():
    """What a process of its own needs to work on this test's database."""
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        host = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        url = f"postgres://{host}/{database['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": configured.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SIGHTLINE_WEBHOOK_ALLOWED": "127.0.0.0/8",
    }


def start(command, environment):
    return subprocess.Popen(
        command,
        cwd=configured.BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.django_db(transaction=True)
def test_a_message_whose_process_is_killed_while_it_is_sent_is_sent_again(receiver, environment):
    receiver.answer = receiver.hang
    delivery = DeliveryFactory(endpoint=EndpointFactory(url=receiver.url))
    code_to_run = (
        "import django; django.setup();"
        "from classifier.worker.deliver import deliver_due; deliver_due()"
    )
    process = start([sys.executable, "-c", code_to_run], environment)
    assert receiver.arrived.acquire(timeout=30), process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    receiver.answer = code(200)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (PENDING, 1)
    deliver_due()  # its lease still runs
    assert len(receiver.received) == 1
    Delivery.objects.update(lease_expires_at=timezone.now() - MINUTE)
    deliver_due()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == (SUCCEEDED, 2)
    assert receiver.ids == [delivery.message_id] * 2


@pytest.mark.django_db(transaction=True)
def test_the_chores_process_sweeps_on_while_receivers_hang_and_finishes_when_stopped(
    receiver, environment, broker
):
    receiver.answer = receiver.hang
    for _ in range(3):
        DeliveryFactory.create_batch(5, endpoint=EndpointFactory(url=receiver.url))
    process = start(_chores("chores@test").command, environment)
    try:
        bells.ring("deliver")
        for _ in range(12):
            assert receiver.arrived.acquire(timeout=60)
        for _ in range(8):  # bells for what is being sent already
            bells.hear("deliver")
            bells.ring("deliver")
        left = PredictionFactory(
            status=Status.RUNNING, lease=first_uuid7(timezone.now()), attempts=1,
            lease_expires_at=timezone.now() - MINUTE,
        )  # fmt: skip
        begun = time.monotonic()
        configured_app().send_task("sweep", queue="chores")
        while Prediction.objects.get(id=left.id).status != Status.QUEUED:
            assert time.monotonic() - begun < 8, "the sweep waits for receivers"
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        receiver.answer = code(200)
        receiver.open_again.set()
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert not Delivery.objects.filter(lease__isnull=False).exists()
    assert Delivery.objects.filter(attempts=1).count() == 12


def configured_app():
    from config.celery import app

    return app
