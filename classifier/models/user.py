from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person who signs in. Ours from the first migration on, so that it can grow fields."""
