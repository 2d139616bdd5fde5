"""Settings that would not work are named, with what would."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connection
from django.test import override_settings

from classifier.checks import POSITIVE, check_deployment, check_limits
from classifier.embedded.guard import CannotStart, refuse_wrong_limits


def ids(messages: Any) -> list[str]:
    return [message.id for message in messages]


def in_production(folder: Path, database: str = "postgresql", **changes: Any) -> list[CheckMessage]:
    """What the deployment checks say of a good installation with these settings changed."""
    good = {
        "EMBEDDED_BROKER": False,
        "ALLOWED_HOSTS": ["sightline.example.org"],
        "DATA_DIR": folder,
    }
    with pytest.MonkeyPatch.context() as patch, override_settings(**good | changes):
        patch.setattr(connection, "vendor", database)
        return list(check_deployment())


def test_the_settings_as_they_come_are_sound() -> None:
    assert [message for message in run_checks() if message.id.startswith("sightline")] == []


@pytest.mark.parametrize("name", POSITIVE)
def test_a_limit_of_nothing_is_an_error_that_names_its_variable(name: str) -> None:
    with override_settings(**{name: 0}):
        [message] = check_limits()
    assert message.id == "sightline.E001"
    assert POSITIVE[name] in message.msg
    assert message.hint


def test_a_start_is_refused_in_one_line_that_names_every_wrong_limit() -> None:
    with (
        override_settings(LEASE_SECONDS=0, WORKER_THREADS=-1),
        pytest.raises(CannotStart) as refusal,
    ):
        refuse_wrong_limits()
    assert str(refusal.value).count("SIGHTLINE_") == 2
    assert "\n" not in str(refusal.value)


def test_a_negative_number_of_threads_is_an_error() -> None:
    with override_settings(WORKER_THREADS=-1):
        assert ids(check_limits()) == ["sightline.E002"]


@pytest.mark.parametrize("name", ["API_RATE_PER_USER", "API_RATE_PER_TOKEN"])
def test_a_negative_rate_is_an_error_and_none_at_all_is_not(name: str) -> None:
    with override_settings(**{name: -1}):
        [error] = check_limits()
    assert (error.id, error.msg) == ("sightline.E003", f"SIGHTLINE_{name} is -1.")
    with override_settings(**{name: 0}):
        assert not list(check_limits())


def test_a_production_installation_passes(tmp_path: Path) -> None:
    assert in_production(tmp_path) == []


def test_sqlite_is_no_database_for_many_machines(tmp_path: Path) -> None:
    assert ids(in_production(tmp_path, database="sqlite")) == ["sightline.W001"]


def test_a_broker_must_be_named(tmp_path: Path) -> None:
    assert ids(in_production(tmp_path, EMBEDDED_BROKER=True)) == ["sightline.W002"]


def test_a_host_name_that_others_can_type_must_be_named(tmp_path: Path) -> None:
    assert ids(in_production(tmp_path, ALLOWED_HOSTS=["localhost"])) == ["sightline.W003"]


def test_a_secret_key_of_one_machine_is_not_for_many(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch()
    assert ids(in_production(tmp_path)) == ["sightline.W004"]
