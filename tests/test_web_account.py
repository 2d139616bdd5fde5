"""Signing in, out and up, and the password."""

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import ModelVersion, User

PASSWORD = "correct horse battery"


def log_in(client: Client, password: str = PASSWORD, **kwargs: object):
    return client.post(reverse("login"), {"username": "ada", "password": password}, **kwargs)


def test_logging_in_leads_to_the_upload_page(
    client: Client, user: User, serving: ModelVersion
) -> None:
    response = log_in(client, follow=True)
    assert response.redirect_chain == [(reverse("upload"), 302)]
    assert b"What is in your pictures?" in response.content


def test_a_wrong_password_says_so(client: Client, user: User) -> None:
    response = log_in(client, "wrong")
    assert b"Please enter a correct username and password" in response.content


def test_guessing_is_locked_out_for_a_while(client: Client, user: User, settings) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    responses = [log_in(client, "wrong") for _ in range(3)]
    assert responses[-1].status_code == 429
    assert b"Too many attempts" in responses[-1].content
    assert b"Wait 15 minutes" in responses[-1].content
    assert log_in(client).status_code == 429


def test_logging_out_needs_a_post_and_ends_the_session(signed_in: Client) -> None:
    assert signed_in.get(reverse("logout")).status_code == 405
    assert signed_in.post(reverse("logout")).url == reverse("login")
    assert signed_in.get(reverse("history")).status_code == 302


def test_the_password_can_be_changed(signed_in: Client, user: User) -> None:
    new = "another long sentence"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    response = signed_in.post(reverse("password_change"), fields, follow=True)
    assert b"The password is changed" in response.content
    user.refresh_from_db()
    assert user.check_password(new)


def test_registration_is_closed_unless_switched_on(client: Client, db: None) -> None:
    assert client.get(reverse("register")).status_code == 404
    assert client.post(reverse("register")).status_code == 404
    assert reverse("register").encode() not in client.get(reverse("login")).content


def test_registration_where_it_is_open_signs_the_new_person_in(
    client: Client, serving: ModelVersion, settings
) -> None:
    settings.REGISTRATION_OPEN = True
    assert reverse("register").encode() in client.get(reverse("login")).content
    fields = {"username": "joan", "password1": PASSWORD, "password2": PASSWORD}
    response = client.post(reverse("register"), fields, follow=True)
    assert response.redirect_chain == [(reverse("upload"), 302)]
    joan = User.objects.get(username="joan")
    assert response.wsgi_request.user == joan
    assert not joan.is_staff


def test_a_weak_password_is_refused_with_the_reason(client: Client, db: None, settings) -> None:
    settings.REGISTRATION_OPEN = True
    fields = {"username": "joan", "password1": "1234567", "password2": "1234567"}
    response = client.post(reverse("register"), fields)
    assert b"This password is too short" in response.content
    assert not User.objects.exists()


@pytest.mark.parametrize(("code", "lang"), [("zh-hans", "zh-hans"), ("en", "en")])
def test_the_language_can_be_switched_by_anybody(
    client: Client, db: None, code: str, lang: str
) -> None:
    response = client.post(
        reverse("set_language"), {"language": code, "next": reverse("login")}, follow=True
    )
    assert f'<html lang="{lang}">' in response.content.decode()
