"""Who may call the API: tokens by their scopes, and sessions with CSRF."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from classifier.actions.tokens import issue, revoke
from classifier.models import ModelVersion, Scope, Token, User
from tests.api import bearer, caller

ME = "/api/v1/me/"
MODELS = "/api/v1/models/"


def problem(response) -> str:
    assert response["Content-Type"] == "application/problem+json"
    return response.json()["code"]


class TestToken:
    def test_opens_the_door_for_its_owner(self, user: User) -> None:
        response = caller(user).get(ME)
        assert response.status_code == 200
        assert response.json()["user"]["username"] == user.username

    def test_the_name_of_the_scheme_may_be_written_in_any_case(self, user: User) -> None:
        _, secret = issue(user, "tests", [Scope.PREDICTIONS_WRITE])
        assert Client(headers={"Authorization": f"bEARER  {secret}"}).get(ME).status_code == 200

    @pytest.mark.parametrize("secret", ["", "slt_wrong", "é", "a b", "\x7f"])
    def test_one_that_nobody_issued_is_refused(self, user: User, secret: str) -> None:
        response = bearer(secret).get(ME)
        assert response.status_code == 401
        assert problem(response) == "invalid_token"
        assert response["WWW-Authenticate"] == 'Bearer realm="sightline", error="invalid_token"'

    def test_one_that_was_revoked_is_refused(self, user: User) -> None:
        program = caller(user)
        revoke(Token.objects.get())
        assert problem(program.get(ME)) == "invalid_token"

    def test_one_that_has_expired_is_refused(self, user: User) -> None:
        program = caller(user, expires_at=timezone.now() - timedelta(seconds=1))
        assert problem(program.get(ME)) == "invalid_token"

    def test_one_whose_owner_may_not_sign_in_is_refused(self, user: User) -> None:
        program = caller(user)
        User.objects.update(is_active=False)
        assert problem(program.get(ME)) == "invalid_token"

    def test_a_wrong_one_is_refused_even_beside_a_session(self, signed_in: Client) -> None:
        response = signed_in.get(ME, headers={"Authorization": "Bearer slt_wrong"})
        assert problem(response) == "invalid_token"

    def test_it_does_not_open_the_pages(self, user: User) -> None:
        response = caller(user).get("/predictions/")
        assert response.status_code == 302
        assert response.url.startswith("/login/")


class TestStranger:
    def test_is_told_how_to_sign_in(self, client: Client, db: None) -> None:
        response = client.get(ME)
        assert response.status_code == 401
        assert problem(response) == "not_authenticated"
        assert response["WWW-Authenticate"] == 'Bearer realm="sightline"'

    def test_another_scheme_is_no_token(self, client: Client, db: None) -> None:
        response = client.get(ME, headers={"Authorization": "Basic YTpi"})
        assert problem(response) == "not_authenticated"

    def test_may_not_even_ask_for_the_options(self, client: Client, db: None) -> None:
        assert client.options(ME).status_code == 401

    def test_sees_no_schema(self, client: Client, db: None) -> None:
        assert client.get("/api/v1/schema/").status_code == 401

    def test_is_sent_from_the_docs_page_to_sign_in(self, client: Client, db: None) -> None:
        response = client.get("/api/v1/docs/")
        assert response.status_code == 302
        assert response.url == "/login/?next=/api/v1/docs/"


class TestScope:
    def test_the_right_one_lets_in(self, user: User) -> None:
        assert caller(user, Scope.MODELS_READ).get(MODELS).status_code == 200

    def test_another_one_does_not_and_the_right_one_is_named(self, user: User) -> None:
        response = caller(user, Scope.PREDICTIONS_READ).get(MODELS)
        assert response.status_code == 403
        assert problem(response) == "missing_scope"
        assert "models:read" in response.json()["detail"]
        assert 'scope="models:read"' in response["WWW-Authenticate"]

    def test_head_needs_what_get_needs(self, user: User) -> None:
        assert caller(user, Scope.MODELS_READ).head(MODELS).status_code == 200
        assert caller(user, Scope.PREDICTIONS_READ).head(MODELS).status_code == 403

    def test_options_need_none(self, user: User) -> None:
        assert caller(user, Scope.PREDICTIONS_WRITE).options(MODELS).status_code == 200

    def test_a_method_that_is_not_there_is_no_matter_of_scopes(self, user: User) -> None:
        response = caller(user, Scope.PREDICTIONS_READ).delete(MODELS)
        assert response.status_code == 405
        assert problem(response) == "method_not_allowed"
        assert "GET" in response["Allow"]

    def test_a_session_has_them_all(self, signed_in: Client) -> None:
        assert signed_in.get(MODELS).status_code == 200


class Reviews(APIView):
    scopes = {"POST": Scope.REVIEW_WRITE}

    def post(self, request: Request) -> Response:
        return Response({"by": request.user.username})

    def put(self, request: Request) -> Response:
        raise AssertionError("nobody may come here")


class TestReviewing:
    def post(self, user: User, token: Token | None = None) -> Response:
        request = APIRequestFactory().post("/")
        force_authenticate(request, user, token)
        return Reviews.as_view()(request)

    def test_is_for_staff_only(self, user: User) -> None:
        response = self.post(user)
        assert response.status_code == 403
        assert response.data["code"] == "staff_only"

    def test_staff_may_with_a_session(self, staff: User) -> None:
        assert self.post(staff).status_code == 200

    def test_staff_may_with_a_token_that_says_so(self, staff: User) -> None:
        may, _ = issue(staff, "may", [Scope.REVIEW_WRITE])
        may_not, _ = issue(staff, "may not", [Scope.PREDICTIONS_WRITE])
        assert self.post(staff, may).status_code == 200
        assert self.post(staff, may_not).data["code"] == "missing_scope"

    def test_who_is_staff_no_more_may_not_with_a_token_from_before(self, staff: User) -> None:
        token, _ = issue(staff, "may", [Scope.REVIEW_WRITE])
        staff.is_staff = False
        assert self.post(staff, token).data["code"] == "staff_only"

    def test_a_method_whose_scope_was_forgotten_lets_nobody_in(self, staff: User) -> None:
        request = APIRequestFactory().put("/")
        force_authenticate(request, staff)
        with pytest.raises(ImproperlyConfigured, match=r"Reviews\.scopes does not name PUT"):
            Reviews.as_view()(request)


class TestSession:
    """Whoever writes with a browser's session shows that they come from a page of ours."""

    @pytest.fixture
    def browser(self, user: User) -> Client:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(user)
        return browser

    def post(self, browser: Client, model: ModelVersion, **headers: str):
        url = f"/api/v1/models/{model.name}/"
        return browser.post(url, b"x", "image/png", headers=headers)

    def test_reads_without_a_token_for_csrf(self, browser: Client) -> None:
        assert browser.get(ME).status_code == 200

    def test_writes_nothing_without_one(self, browser: Client, serving: ModelVersion) -> None:
        response = self.post(browser, serving)
        assert response.status_code == 403
        assert problem(response) == "csrf_failed"

    def test_writes_with_one(self, browser: Client, serving: ModelVersion) -> None:
        browser.get("/")
        csrf = browser.cookies["csrftoken"].value
        response = self.post(browser, serving, **{"X-CSRFToken": csrf})
        assert problem(response) == "unsupported_media_type"  # b"x" is no image: it got so far


class Upload(APIView):
    """Says how its files were kept."""

    scopes = {"POST": Scope.PREDICTIONS_WRITE}

    def post(self, request: Request) -> Response:
        return Response([type(file).__name__ for file in request.FILES.values()])


class TestLargeForm:
    """Only of those who may send it does a large file reach the disk."""

    BIG = SimpleUploadedFile("big.png", b"x" * 3_000_000, "image/png")

    @pytest.fixture
    def upload(self):
        def upload(**headers: str) -> Response:
            self.BIG.seek(0)
            request = APIRequestFactory().post("/", {"image": self.BIG}, "multipart", **headers)
            return Upload.as_view()(request)

        return upload

    def test_of_a_token_is_spooled(self, upload, user: User) -> None:
        _, secret = issue(user, "tests", [Scope.PREDICTIONS_WRITE])
        response = upload(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert response.data == ["TemporaryUploadedFile"]

    def test_of_a_stranger_is_refused_unread(self, upload, db: None, monkeypatch) -> None:
        monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream.read", None)
        assert upload().status_code == 401

    def test_of_a_token_without_the_scope_is_refused_unread(
        self, upload, user: User, monkeypatch
    ) -> None:
        monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream.read", None)
        _, secret = issue(user, "tests", [Scope.MODELS_READ])
        assert upload(HTTP_AUTHORIZATION=f"Bearer {secret}").status_code == 403

    def test_larger_than_any_is_refused_before_it_is_read(
        self, upload, user: User, settings
    ) -> None:
        settings.UPLOAD_MAX_REQUEST_BYTES = 2_900_000
        _, secret = issue(user, "tests", [Scope.PREDICTIONS_WRITE])
        response = upload(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert response.status_code == 413
        assert response.data["code"] == "too_large"
