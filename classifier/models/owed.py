from django.db import models
from django.utils.translation import gettext_lazy as _


class Owed(models.Model):
    """Work that is owed is a row: whoever does it holds a lease, and every attempt is counted.

    A lease that has run out says that its holder died; a sweep then takes the row back. A result is
    written by a conditional update on the lease, so that it lands once.
    """

    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease = models.UUIDField(_("lease"), null=True, editable=False)
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True, editable=False)

    class Meta:
        abstract = True
