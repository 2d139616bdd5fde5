from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models.ids import uuid7


class Scope(models.TextChoices):
    PREDICTIONS_READ = "predictions:read", _("See predictions and their pictures")
    PREDICTIONS_WRITE = "predictions:write", _("Classify, cancel and delete")
    MODELS_READ = "models:read", _("See the models")
    REVIEW_WRITE = "review:write", _("Review predictions (staff only)")


class TokenState(models.TextChoices):
    USABLE = "usable", _("Works")
    LOCKED = "locked", _("Its owner may not sign in")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


class TokenQuerySet(models.QuerySet["Token"]):
    def alive(self) -> "TokenQuerySet":
        """Neither revoked nor expired."""
        unexpired = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at__isnull=True)

    def in_state(self, state: TokenState) -> "TokenQuerySet":
        match state:
            case TokenState.USABLE:
                return self.alive().filter(owner__is_active=True)
            case TokenState.LOCKED:
                return self.alive().filter(owner__is_active=False)
            case TokenState.EXPIRED:
                return self.filter(revoked_at__isnull=True, expires_at__lte=timezone.now())
            case TokenState.REVOKED:
                return self.filter(revoked_at__isnull=False)


class Token(models.Model):
    """A program's key to the API. Only a digest of it is kept, and a prefix to know it by."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="tokens",
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=16, editable=False)
    digest = models.CharField(_("SHA-256"), max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)

    objects = TokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def state(self) -> TokenState:
        if self.revoked_at is not None:
            return TokenState.REVOKED
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return TokenState.EXPIRED
        return TokenState.USABLE if self.owner.is_active else TokenState.LOCKED

    @property
    def scope_names(self) -> list[Scope]:
        """What it may do, in the order in which the scopes are declared."""
        return [scope for scope in Scope if scope in self.scopes]
