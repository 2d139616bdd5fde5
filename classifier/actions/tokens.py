"""Give programs a key to the API, and take it back."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from classifier.models import Scope, Token, User
from classifier.models.ids import uuid7
from classifier.models.token import TokenState
from classifier.queries.prepared import Prepared

MARK = "slt_"  # what a scanner for leaked secrets can look for
PREFIX_LENGTH = len(MARK) + 6
COARSE = timedelta(minutes=5)  # a use is written down no more often than that
ORDINARY_SCOPES = (Scope.PREDICTIONS_READ, Scope.PREDICTIONS_WRITE, Scope.MODELS_READ)


# By the digest alone: every request asks this.
_by_digest = Prepared(
    lambda digest: Token.objects.select_related("owner").filter(digest=digest),
    digest=models.CharField(),
)


class AlreadyIssued(ValueError):
    """There is a token with this id: the same request came twice."""


class NotReplaced(ValueError):
    """The token was replaced, revoked or has expired meanwhile."""


def grantable_scopes(owner: User) -> list[Scope]:
    """What to offer for this person's tokens: only staff review.

    An offer only: whoever uses a token may never do more than its owner, who may change.
    """
    return [scope for scope in Scope if scope != Scope.REVIEW_WRITE or owner.is_staff]


def issue(
    owner: User,
    name: str,
    scopes: Iterable[Scope],
    expires_at: datetime | None = None,
    id: uuid.UUID | None = None,
) -> tuple[Token, str]:
    """Make a token. The second value is the token itself, which is kept nowhere.

    A caller that may send its request twice gives an `id`, so that no second token is made.

    Raises:
        AlreadyIssued: if there is a token with this id.
    """
    secret = _new_secret()
    try:
        with transaction.atomic():
            token = Token.objects.create(
                id=id or uuid7(),
                owner=owner,
                name=name,
                scopes=sorted(set(scopes)),
                expires_at=expires_at,
                **_recognised_by(secret),
            )
    except IntegrityError as error:
        raise AlreadyIssued from error
    return token, secret


def rotate(token: Token) -> str:
    """Replace what opens the door, and keep the rest: the old one stops working at once.

    A conditional update on the digest that was read, so that of two who rotate one gets a token.

    Raises:
        NotReplaced: if it was replaced meanwhile, or does not work any more anyway.
    """
    secret = _new_secret()
    unchanged = Token.objects.alive().filter(id=token.id, digest=token.digest)
    if not unchanged.update(last_used_at=None, **_recognised_by(secret)):
        raise NotReplaced
    token.refresh_from_db()
    return secret


def revoke(token: Token) -> bool:
    """Let a token work no more, for good; the row stays, so that one sees that it was there.

    False if it was revoked already.
    """
    unrevoked = Token.objects.filter(id=token.id, revoked_at__isnull=True)
    return unrevoked.update(revoked_at=timezone.now()) == 1


def find_usable(secret: str) -> Token | None:
    """The token that this is, with its owner, if it opens the door; notes roughly when it did."""
    found = _by_digest(digest=_digest(secret))
    if not found:
        return None
    [token] = found
    if token.state != TokenState.USABLE:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - COARSE:
        Token.objects.filter(id=token.id).update(last_used_at=now)
    return token


def _new_secret() -> str:
    return MARK + secrets.token_urlsafe(32)


def _recognised_by(secret: str) -> dict[str, str]:
    return {"prefix": secret[:PREFIX_LENGTH], "digest": _digest(secret)}


def _digest(secret: str) -> str:
    """Plain SHA-256 will do: there are 256 random bits to guess, not a password."""
    return hashlib.sha256(secret.encode()).hexdigest()
