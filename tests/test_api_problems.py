"""Whatever goes wrong is told in the form that the caller understands, with what to do about it."""

import json
import logging
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, TooManyFieldsSent
from django.http import Http404, UnreadablePostError
from django.test import Client, RequestFactory
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from classifier.api.parsers import ImageParser, JSONParser
from classifier.api.problems import PROBLEMS, Problem
from classifier.images import InvalidImage
from classifier.models import User
from config import errors
from tests.api import caller

ME = "/api/v1/me/"
PROGRAMS = ["/api/", "/api/v1/nothing/", "/predict/nothing", "/api"]
PROTOCOL = ["/v2/nothing", "/v2/models/x/y"]
PAGES = ["/nothing/", "/predictions/nothing/", "/v20", "/apiary/"]


class Raises(APIView):
    """Raises whatever it is told."""

    error: Exception | None = None
    authentication_classes = []
    permission_classes = []
    throttle_classes = []

    def get(self, request: Request) -> Response:
        raise self.error

    post = get


def refused(error: Exception, method: str = "get", **request: object) -> Response:
    request = getattr(APIRequestFactory(), method)("/api/v1/here/", **request)
    return Raises.as_view(error=error)(request).render()


class TestProblem:
    def test_has_the_members_of_the_standard_and_a_page(self, client: Client, db: None) -> None:
        response = client.get(ME)
        body = response.json()
        assert response["Content-Type"] == "application/problem+json"
        assert list(body) == ["type", "title", "status", "detail", "code", "errors"]
        assert body["type"] == "http://testserver/api/problems/not_authenticated/"
        assert body["status"] == response.status_code == 401
        assert body["code"] == "not_authenticated"
        assert client.get(urlsplit(body["type"]).path).status_code == 200

    @pytest.mark.parametrize(
        ("error", "slug"),
        [
            (exceptions.ParseError("cut off"), "malformed"),
            (UnreadablePostError("gone"), "malformed"),
            (BadRequest("odd"), "malformed"),
            (TooManyFieldsSent("1001"), "malformed"),
            (Http404(), "not_found"),
            (exceptions.NotFound(), "not_found"),
            (PermissionDenied(), "forbidden"),
            (exceptions.PermissionDenied(), "forbidden"),
            (exceptions.UnsupportedMediaType("text/plain"), "unsupported_media_type"),
            (exceptions.NotAcceptable(), "not_acceptable"),
            (exceptions.ValidationError("no"), "invalid_request"),
            (InvalidImage("damaged", "It is damaged."), "invalid_image"),
            (InvalidImage("too_large", "It is too large."), "too_large"),
            (Problem("no_model"), "no_model"),
        ],
    )
    def test_every_refusal_is_one(self, error: Exception, slug: str) -> None:
        response = refused(error)
        assert response["Content-Type"] == "application/problem+json"
        assert response.data["code"] == slug
        assert response.data["status"] == response.status_code == PROBLEMS[slug].status

    def test_says_what_is_particular_to_it(self) -> None:
        assert refused(exceptions.ParseError("cut off")).data["detail"] == "cut off"
        assert refused(Problem("not_found", "No such batch.")).data["detail"] == "No such batch."

    def test_tells_when_to_come_back(self) -> None:
        assert refused(exceptions.Throttled(wait=12.6))["Retry-After"] == "13"
        assert refused(exceptions.Throttled(wait=0.1))["Retry-After"] == "1"

    def test_keeps_its_own_headers(self) -> None:
        response = refused(Problem("rate_limited", headers={"Retry-After": "7"}))
        assert response["Retry-After"] == "7"

    def test_bytes_that_are_no_image_have_the_wrong_type_but_text_a_wrong_value(self) -> None:
        error = InvalidImage("unknown_format", "This is not an image.")
        of_bytes = refused(error, "post", data=b"x", content_type="image/png")
        of_json = refused(error, "post", data={"image": "x"}, format="json")
        assert (of_bytes.status_code, of_json.status_code) == (415, 422)
        assert of_json.data["errors"] == [{"code": "unknown_format", "detail": str(error)}]

    def test_a_fault_of_ours_is_none_of_the_callers(self) -> None:
        with pytest.raises(ZeroDivisionError):
            refused(ZeroDivisionError())

    def test_is_read_in_the_browser_as_a_page(self, client: Client, db: None) -> None:
        response = client.get(ME, headers={"Accept": "text/html"})
        assert response.status_code == 401
        assert response["Content-Type"] == "text/html; charset=utf-8"
        assert "not_authenticated" in response.text

    @pytest.mark.parametrize(
        ("accept", "query"), [("image/png", ""), ("*/*", "?format=xml"), ("odd", "")]
    )
    def test_is_told_even_to_those_who_accept_only_something_else(
        self, user: User, accept: str, query: str
    ) -> None:
        response = caller(user).get(ME + query, headers={"Accept": accept})
        assert response.status_code == 406
        assert response["Content-Type"] == "application/problem+json"


class Inner(serializers.Serializer):
    size = serializers.IntegerField(max_value=5)


class Outer(serializers.Serializer):
    name = serializers.CharField()
    inner = Inner(many=True)
    sizes = serializers.ListField(child=serializers.IntegerField())

    def validate(self, attrs: dict) -> dict:
        raise serializers.ValidationError("Not together.", "together")


def invalid(**data: object) -> exceptions.ValidationError:
    with pytest.raises(exceptions.ValidationError) as caught:
        Outer(data=data).is_valid(raise_exception=True)
    return caught.value


class TestErrors:
    def test_point_at_each_wrong_value_in_the_body(self) -> None:
        error = invalid(inner=[{"size": 1}, {"size": 9}], sizes=[1, "x"])
        found = {e["pointer"]: e["code"] for e in refused(error, "post").data["errors"]}
        assert found == {
            "/name": "required",
            "/inner/1/size": "max_value",
            "/sizes/1": "invalid",
        }

    def test_point_at_the_whole_where_no_single_value_is_wrong(self) -> None:
        error = invalid(name="a", inner=[], sizes=[])
        [found] = refused(error, "post").data["errors"]
        assert found == {"pointer": "", "code": "together", "detail": "Not together."}

    def test_escape_what_has_a_meaning_in_a_pointer(self) -> None:
        error = exceptions.ValidationError({"a/b~c": ["Odd."]}, "odd")
        [found] = refused(error, "post").data["errors"]
        assert found["pointer"] == "/a~1b~0c"

    def test_name_the_parameter_where_there_is_no_body(self) -> None:
        error = exceptions.ValidationError({"status": ["Unknown."]}, "unknown")
        [found] = refused(error).data["errors"]
        assert found == {"parameter": "status", "code": "unknown", "detail": "Unknown."}


class Echo(APIView):
    """Answers with what it has parsed."""

    scopes = {"POST": None}
    parser_classes = [JSONParser, ImageParser]

    def post(self, request: Request) -> Response:
        data = request.data
        return Response(len(data) if isinstance(data, bytes) else data)


class TestBody:
    @pytest.fixture
    def post(self, user: User):
        def post(content: bytes, content_type: str = "application/json") -> Response:
            request = APIRequestFactory().generic("POST", "/", content, content_type)
            force_authenticate(request, user)
            return Echo.as_view()(request).render()

        return post

    @pytest.mark.parametrize(
        "content",
        [b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b"1" * 5000, b'"\\ud800"', b'"\\u0000"'],
    )
    def test_that_is_no_json_is_malformed(self, post, content: bytes) -> None:
        assert post(content).data["code"] == "malformed"

    def test_may_be_larger_than_the_form_of_a_page(self, post, settings) -> None:
        text = "x" * (2 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        response = post(json.dumps(text).encode())
        assert response.status_code == 200
        assert response.data == text

    def test_has_room_for_the_largest_image_in_base64(self, settings) -> None:
        base64 = -(-settings.UPLOAD_MAX_BYTES // 3) * 4
        assert base64 + 100_000 < settings.API_MAX_BODY_BYTES

    @pytest.mark.parametrize(
        ("content_type", "limit"),
        [("application/json", "API_MAX_BODY_BYTES"), ("image/png", "UPLOAD_MAX_BYTES")],
    )
    def test_that_is_too_large_is_not_read(
        self, post, settings, monkeypatch, content_type: str, limit: str
    ) -> None:
        setattr(settings, limit, 10)
        assert post(b'"' + b"x" * 8 + b'"', content_type).status_code == 200
        monkeypatch.setattr("django.core.handlers.wsgi.LimitedStream.read", None)
        response = post(b'"' + b"x" * 9 + b'"', content_type)
        assert response.status_code == 413
        assert response.data["detail"] == "The body has 11 bytes; at most 10 are taken here."

    def test_in_a_format_that_is_not_taken_is_refused(self, post) -> None:
        assert post(b"x", "text/plain").data["code"] == "unsupported_media_type"

    @pytest.mark.parametrize("path", ["/api/v1/models/everyday/", "/predict", "/v2/models/x/infer"])
    def test_that_does_not_say_how_long_it_is_is_refused(self, user: User, path: str) -> None:
        response = caller(user).generic("POST", path, headers={"Transfer-Encoding": "chunked"})
        assert response.status_code == 411
        assert ("error" if path.startswith("/v2") else "errors") in response.json()

    @pytest.mark.parametrize(
        "content_type",
        [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\xff",
            "multipart/form-data; boundary=other",
        ],
    )
    def test_that_is_a_broken_form_is_no_fault_of_ours(
        self, user: User, serving, content_type: str
    ) -> None:
        response = caller(user).generic("POST", "/predict", b"--other\r\n\r\nx", content_type)
        assert response.status_code in {400, 422}

    def test_whose_part_names_an_unknown_charset_is_no_fault_of_ours(
        self, user: User, serving
    ) -> None:
        part = b"--b\r\nContent-Disposition: form-data; name*=odd''a; filename*=odd''b\r\n\r\nx\r\n"
        response = caller(user).generic(
            "POST", "/predict", part + b"--b--\r\n", "multipart/form-data; boundary=b"
        )
        assert response.status_code in {400, 422}


class TestUnknownAddress:
    @pytest.mark.parametrize("path", PROGRAMS)
    def test_of_the_api_is_a_problem(self, client: Client, db: None, path: str) -> None:
        response = client.get(path)
        assert response.status_code == 404
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "not_found"

    @pytest.mark.parametrize("path", PROTOCOL)
    def test_of_the_protocol_has_its_form(self, client: Client, db: None, path: str) -> None:
        response = client.get(path)
        assert response.status_code == 404
        assert list(response.json()) == ["error"]

    @pytest.mark.parametrize("path", PAGES)
    def test_of_anything_else_is_a_page(self, client: Client, db: None, path: str) -> None:
        response = client.get(path)
        assert response.status_code == 404
        assert "There is nothing here" in response.text
        assert response["Content-Type"].startswith("text/html")

    def test_without_its_slash_leads_to_the_right_one_and_keeps_the_method(
        self, client: Client, db: None
    ) -> None:
        response = client.post("/api/v1/me")
        assert response.status_code == 308
        assert response["Location"] == ME


class TestBeforeAnyView:
    """Django refuses some requests itself, and answers where a view has failed."""

    @pytest.mark.parametrize(
        ("path", "form"), [("/api/v1/me/", "code"), ("/predict", "code"), ("/v2/x", "error")]
    )
    def test_programs_get_their_form(self, path: str, form: str) -> None:
        request = RequestFactory().post(path)
        for response, status in (
            (errors.bad_request(request, BadRequest()), 400),
            (errors.permission_denied(request, PermissionDenied()), 403),
            (errors.csrf_failure(request, "no cookie"), 403),
            (errors.server_error(request), 500),
        ):
            assert response.status_code == status
            assert form in json.loads(response.content)

    def test_a_host_that_is_not_ours_is_a_problem_too(self, client: Client, db: None) -> None:
        response = client.get(ME, headers={"Host": "evil.example"})
        assert response.status_code == 400
        assert response.json()["type"] == "/api/problems/malformed/"

    def test_a_view_that_fails_leaves_a_problem_and_a_line_in_the_log(
        self, client: Client, user: User, monkeypatch, caplog
    ) -> None:
        monkeypatch.setattr("classifier.api.views.me.usage_of", None)
        program = caller(user)
        program.raise_request_exception = False
        with caplog.at_level(logging.ERROR, "django.request"):
            response = program.get(ME)
        assert response.status_code == 500
        assert response.json()["code"] == "server_error"
        assert "TypeError" in caplog.text

    def test_a_page_without_a_csrf_token_is_refused_as_before(self, user: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(user)
        response = browser.post("/logout/")
        assert response.status_code == 403
        assert "The page was too old" in response.text


class TestEveryAnswer:
    @pytest.mark.parametrize("path", [ME, "/api/v1/nothing/", "/predict", "/v2"])
    def test_is_the_callers_alone_to_keep(self, user: User, path: str) -> None:
        response = caller(user).get(path)
        assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))
        assert {"Authorization", "Cookie"} <= set(response["Vary"].split(", "))

    def test_of_a_page_is_left_alone(self, signed_in: Client) -> None:
        assert "Authorization" not in signed_in.get("/")["Vary"]


class TestPages:
    @pytest.mark.parametrize("slug", PROBLEMS)
    def test_say_of_every_problem_what_to_do_to_anybody(
        self, client: Client, db: None, slug: str
    ) -> None:
        response = client.get(f"/api/problems/{slug}/")
        assert response.status_code == 200
        assert "What to do" in response.text
        assert f"<code>{slug}</code>" in response.text

    def test_are_listed(self, client: Client, db: None) -> None:
        text = client.get("/api/problems/").text
        assert all(f"/api/problems/{slug}/" in text for slug in PROBLEMS)

    def test_of_no_problem_are_not_there(self, client: Client, db: None) -> None:
        assert client.get("/api/problems/nothing/").status_code == 404
