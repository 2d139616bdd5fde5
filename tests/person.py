"""Somebody who uses a running server over HTTP, as a browser without scripts does."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid


class Person:
    """A signed-in session with a server at `address`, as http://127.0.0.1:8000."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.ProxyHandler({})
        )

    def get(self, path: str) -> tuple[int, str]:
        """The status and the text of a page, redirects followed."""
        return self._open(urllib.request.Request(self.address + path))

    def sign_in(self, username: str, password: str) -> None:
        status, page = self._post_form("/login/", {"username": username, "password": password})
        assert status == 200, page
        assert 'name="password"' not in page, "the password was refused"

    def upload(self, *files: tuple[str, bytes]) -> tuple[int, str]:
        """Send the upload form with files (name, content)."""
        boundary = uuid.uuid4().hex
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files
        )
        body += f"--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return self._post("/", body, kind)

    def _post_form(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        self.get(path)
        body = urllib.parse.urlencode(fields).encode()
        return self._post(path, body, "application/x-www-form-urlencoded")

    def _post(self, path: str, body: bytes, kind: str) -> tuple[int, str]:
        if not self._token():
            self.get(path)
        headers = {"Content-Type": kind, "X-CSRFToken": self._token(), "Referer": self.address}
        return self._open(urllib.request.Request(self.address + path, body, headers))

    def _token(self) -> str:
        return next((c.value or "" for c in self.cookies if c.name == "csrftoken"), "")

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self.opener.open(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def prediction_ids(page: str) -> list[str]:
    """The predictions that a page links to, once each, in order."""
    found = re.findall(r"/predictions/([0-9a-f]{8}-[0-9a-f-]{27})/", page)
    return list(dict.fromkeys(found))
