"""`manage.py prepare`: what an installation needs before its processes start."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.embedded.guard import CannotStart
from classifier.embedded.prepare import prepare_database, prepare_model


class Command(BaseCommand):
    help = (
        "Bring the tables up to date, and let the model that ships with the project serve "
        "where none does. Safe to run at every start."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepare_database()
        except CannotStart as error:
            raise CommandError(str(error), returncode=2) from error
        prepare_model()
        self.stdout.write("The database is ready.")
