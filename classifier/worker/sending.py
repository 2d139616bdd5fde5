"""Post a message to an address that anybody may have named, and take nothing from it but a code.

No redirect is followed, no proxy is used, no body is read; the connection goes to the very address
that was checked; and whatever the other side does, it has a few seconds to do it in.
"""

import functools
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from classifier.actions.deliver import LONGEST_ASKED, Reply
from classifier.addresses import RefusedAddress, Target, resolve
from classifier.worker.messages import Message

CONNECT_SECONDS = 5.0
SECONDS = 15.0  # for an attempt in all, once the name is looked up
SAYS_WHEN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class NoConnection(Exception):
    """None of the addresses takes a connection."""


def send(message: Message) -> Reply:
    """Post the message once. Never raises for what the other side does."""
    try:
        target = resolve(message.url)
    except RefusedAddress as error:
        return Reply(error=str(error))
    except OSError as error:
        return Reply(error=f"The name cannot be looked up: {error.strerror or error}.")
    deadline = time.monotonic() + SECONDS
    try:
        with _connected(target, deadline) as connection:
            reply = _reply_of(_post(connection, target, message))
        if time.monotonic() >= deadline:
            raise TimeoutError  # what was cut off within its headers looks whole
        return reply
    except NoConnection as error:
        return Reply(error=str(error))
    except (OSError, http.client.HTTPException, HTTPError, ValueError) as error:
        if time.monotonic() >= deadline:
            return Reply(error=f"There was no answer within {SECONDS:g} seconds.")
        return Reply(error=f"There was no answer that can be read ({type(error).__name__}).")


@contextmanager
def _connected(target: Target, deadline: float) -> Iterator[HTTPConnection]:
    """A connection to the first address that takes one, cut off when the time is up."""
    connection = _connect(target, deadline)
    watchdog = threading.Timer(max(0, deadline - time.monotonic()), _cut_off, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.timeout = max(0.001, deadline - time.monotonic())
        yield connection
    finally:
        watchdog.cancel()
        connection.close()


def _connect(target: Target, deadline: float) -> HTTPConnection:
    reason = "no address"
    for address in target.addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection = _connection(target, address, min(CONNECT_SECONDS, left))
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise NoConnection(f"The certificate is refused: {error.verify_message}.") from error
        except (OSError, HTTPError) as error:
            connection.close()
            reason = _why(error)
        else:
            return connection
    raise NoConnection(f"There was no connection: {reason}.")


def _connection(target: Target, address: str, seconds: float) -> HTTPConnection:
    """To the address and no other; TLS is for the name."""
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=seconds)
    return HTTPSConnection(
        address,
        target.port,
        timeout=seconds,
        server_hostname=target.host,
        ssl_context=_tls(),
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    """Checks certificates against those that the system trusts."""
    return ssl.create_default_context()


def _cut_off(connection: HTTPConnection) -> None:
    """Wake the thread that reads: each byte that arrives would renew its patience."""
    if connection.sock is not None:
        with suppress(OSError):  # it has just ended by itself
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _post(connection: HTTPConnection, target: Target, message: Message) -> BaseHTTPResponse:
    connection.request(
        "POST",
        target.path,
        message.body,
        {"Host": target.host_header, "Connection": "close", **message.headers},
        preload_content=False,
    )
    return connection.getresponse()


def _reply_of(response: BaseHTTPResponse) -> Reply:
    asked = timedelta(0)
    if response.status in SAYS_WHEN:
        asked = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
    response.close()
    return Reply(response.status, _what_is_wrong(response.status), asked)


def retry_after(header: str, now: datetime) -> timedelta:
    """How long the receiver asks to wait, in seconds or until a date; nothing if unreadable."""
    text = header.strip()
    if re.fullmatch("[0-9]+", text):
        return min(timedelta(seconds=int(text[:9])), LONGEST_ASKED)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return timedelta(0)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), LONGEST_ASKED)


def _what_is_wrong(code: int) -> str:
    if 200 <= code < 300:
        return ""
    if 300 <= code < 400:
        return "It answered with a redirect, which is not followed; give the final address."
    return f"It answered {code}."


def _why(error: Exception) -> str:
    """The system's own words for what failed, below what libraries wrap around it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TimeoutError):
            return f"nobody answered within {CONNECT_SECONDS:g} seconds"
        if isinstance(cause, ssl.SSLError):
            return "no TLS"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__
    return type(error).__name__
