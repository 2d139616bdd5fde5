"""Fill the tables with many made-up rows within a minute, by plain SQL on either database."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, models

from classifier.models import Image, ModelVersion, Prediction, Status

OWNERS = 50
LABELS = [f"label {number}" for number in range(1000)]
OUTPUT = [{"label": LABELS[rank], "score": 0.512345 / (rank + 1)} for rank in range(10)]

# Counted from `first`: hexadecimal with so many digits, and 32 random-looking bytes for a digest.
EXPRESSIONS = {
    "sqlite": {
        "id": "printf('%012x', {first} + i) || '7000' || printf('%016x', i)",
        "digest": "lower(hex(randomblob(32)))",
    },
    "postgresql": {
        "id": "(lpad(to_hex({first} + i), 12, '0') || '7000' || lpad(to_hex(i), 16, '0'))::uuid",
        "digest": "md5(({first} + i)::text) || md5((i - {first})::text)",
    },
}
# Three triggers a row look for what it refers to, which takes longest; superusers may do without.
UNCHECKED, CHECKED = (
    {
        "sqlite": "SELECT 1",
        "postgresql": f"SELECT set_config('session_replication_role', '{role}', false) "
        "FROM pg_roles WHERE rolname = current_user AND rolsuper",
    }
    for role in ("replica", "origin")
)
TIDY = {"sqlite": "PRAGMA wal_checkpoint(TRUNCATE)", "postgresql": "VACUUM ANALYZE"}
FIRST_SETTLED = 1_700_000_000_000  # ids sort by their first 48 bits, milliseconds since 1970
FIRST_WAITING = 1_800_000_000_000


def fill(settled: int, waiting: int) -> None:
    """Insert so many settled predictions of as many images, and so many that wait behind them."""
    owners = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"person{number}") for number in range(OWNERS)]
    )
    version = ModelVersion.objects.create(
        name="made-up", version=1, architecture="none", spec={"labels": LABELS}
    )
    image = Image(owner=owners[0], format="JPEG", width=500, height=375, bytes=60_000)
    image.original_name = "IMG_0001.jpg"
    _execute(UNCHECKED)
    row = Prediction(owner=owners[0], image=image, model_version=version)
    _insert_like(image, row, FIRST_WAITING, waiting)
    row.status, row.output, row.top_score = Status.SUCCEEDED, OUTPUT, OUTPUT[0]["score"]
    row.started_at = row.completed_at = row.created_at
    _insert_like(image, row, FIRST_SETTLED, settled)
    _execute(CHECKED)


def tidy() -> None:
    """Do at once what databases do by themselves before long. Needs to be in no transaction."""
    _execute(TIDY)


def _execute(statements: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor])


def _insert_like(image: Image, row: Prediction, first: int, count: int) -> None:
    """Copy this image and this prediction `count` times, with ids and owners of their own."""
    made = {name: sql.format(first=first) for name, sql in EXPRESSIONS[connection.vendor].items()}
    owner = f"{row.owner_id} + i % {OWNERS}"
    own = {"id": made["id"], "sha256": made["digest"], "owner_id": owner}
    _insert(image, count, {**own, "file": f"'images/ab/' || substr({made['digest']}, 1, 36)"})
    label = f"'label ' || i % {len(LABELS)}" if row.output else "''"
    own = {"id": made["id"], "image_id": made["id"], "owner_id": owner, "top_label": label}
    _insert(row, count, own)


def _insert(like: models.Model, count: int, expressions: dict[str, str]) -> None:
    fields = like._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(expressions.get(field.column, "%s") for field in fields).replace("% ", "%% ")
    parameters: list[Any] = [
        field.get_db_prep_save(field.pre_save(like, add=True), connection)
        for field in fields
        if field.column not in expressions
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
            f'INSERT INTO "{like._meta.db_table}" ({columns}) SELECT {values} FROM n',
            [count, *parameters],
        )
