"""`manage.py models promote` and its sisters."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from classifier.models import ModelVersion
from tests.factories import ModelVersionFactory
from tests.trials import worthy

pytestmark = pytest.mark.django_db


def models(*arguments):
    out = StringIO()
    call_command("models", *map(str, arguments), stdout=out)
    return out.getvalue()


def refusal(*arguments, code=2):
    with pytest.raises(CommandError) as caught:
        models(*arguments)
    assert caught.value.returncode == code
    return str(caught.value)


def test_promoting_tells_each_line_of_the_gate(champion):
    version = worthy()
    out = models("promote", version)
    assert "passed  Accuracy: +0.0 points over" in out
    assert f"{version} is the champion now; before it was {champion}." in out
    assert ModelVersion.objects.serving() == version


def test_what_does_not_pass_is_refused_with_the_lines_that_failed(champion):
    version = ModelVersionFactory()
    line = refusal("promote", version)
    assert "does not pass the gate: accuracy, recall, calibration, latency, robustness" in line
    assert "--override" in line
    assert ModelVersion.objects.serving() == champion
    assert "champion now" in models("promote", version, "--override", "it has to be")


def test_checking_changes_nothing(champion):
    version = worthy()
    assert "passed  Robustness" in models("promote", version, "--check")
    assert "would not pass" in refusal("promote", ModelVersionFactory(), "--check", code=1)
    assert ModelVersion.objects.serving() == champion


def test_a_challenger_comes_and_goes_and_the_history_tells(champion):
    version = ModelVersionFactory()
    assert f"{version} is the challenger now." in models("challenge", version)
    assert models("list").count("challenger") == 1
    assert "no longer" in models("withdraw", "everyday", "--reason", "too slow")
    history = models("history", "everyday")
    assert "challenger withdrawn" in history
    assert "too slow" in history
    assert "no challenger" in refusal("withdraw", "everyday")


def test_rolling_back_names_both(champion):
    version = worthy()
    models("promote", version)
    assert f"{champion} is the champion again; {version} was it." in models("rollback", "everyday")
    assert "no other champion" in refusal("rollback", "everyday")


def test_the_history_tells_the_reason_of_each_change(champion):
    version = worthy()
    models("challenge", version, "--reason", "fewer mistakes")
    models("withdraw", "everyday", "--reason", "too slow")
    models("promote", version, "--reason", "it is better")
    models("rollback", "everyday", "--reason", "it is not")
    models("activate", version, "--reason", "it is, after all")
    rows = models("history", "everyday").splitlines()[1:]
    told = ["it is, after all", "it is not", "it is better", "too slow", "fewer mistakes"]
    for row, reason in zip(rows, told, strict=False):
        assert row.endswith(f" -   {reason}")


def test_a_reason_leads_past_no_gate(champion):
    weak = ModelVersionFactory()
    assert "does not pass the gate" in refusal("promote", weak, "--reason", "it has to be")
    assert ModelVersion.objects.serving() == champion


def test_an_override_is_told_in_the_history(champion):
    models("promote", ModelVersionFactory(), "--override", "it has to be")
    assert "past accuracy, recall" in models("history", "everyday")


@pytest.mark.parametrize("verb", ["promote", "rollback", "challenge", "withdraw", "history"])
def test_a_name_that_is_not_there_is_refused_with_one_that_is(champion, verb):
    assert "Did you mean everyday@" in refusal(verb, "everyda")
