"""What it costs to claim and settle a batch, against the number of rows in the table.

    python -m benchmarks.queue
    DATABASE_URL=postgres://root@127.0.0.1:5432/postgres python -m benchmarks.queue --rows 100,10000

On SQLite, and on PostgreSQL where DATABASE_URL names a server on which databases may be created.
Each table is a database of its own, with so many rows that are settled, or with so many that wait;
a process for each works on it in turn, so that whatever else the machine does hits all alike. A
batch is what a worker does with it besides the network: the claim, the bell for the next thread,
the settling of an output of ten labels for each, and the message to those who wait for answers.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.processes import redis_server, stop_on_sigterm

ROUNDS = 6
WARM_UP, MEASURED = 1, 4  # batches of a round


@dataclass(frozen=True)
class Table:
    """A database to measure on: so many rows that are settled, or that wait."""

    url: str
    rows: int
    state: str

    @property
    def database(self) -> str:
        return "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"


@dataclass(frozen=True)
class Cost:
    """Of one batch: seconds by the clock, and seconds of the worker's CPU."""

    claim: float
    settle: float
    cpu: float

    @property
    def wall(self) -> float:
        return self.claim + self.settle


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="100,10000,1000000", help="sizes, with commas between")
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    stop_on_sigterm()
    sizes = [int(size) for size in options.rows.split(",")]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-queue-")))
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            SIGHTLINE_DATA_DIR=str(folder),
            REDIS_URL=stack.enter_context(redis_server()),
        )
        tables = [
            Table(url, rows, state)
            for new_database in kinds_of_database(folder)
            for state in ("settled", "waiting")
            for rows in sizes
            for url in [stack.enter_context(new_database(f"{state}_{rows}"))]
        ]
        print_table(measure(tables, options.batch), options.batch)


# --- Somewhere to measure ------------------------------------------------------------------------


def kinds_of_database(folder: Path) -> list:
    """For each database that can be measured here: what makes a new one, and drops it again."""

    @contextmanager
    def sqlite(name: str) -> Iterator[str]:
        yield f"sqlite:///{folder / name}.sqlite3"

    given = os.environ.get("DATABASE_URL", "")

    @contextmanager
    def postgresql(name: str) -> Iterator[str]:
        name = f"sightline_bench_{os.getpid()}_{name}"
        execute(given, f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(given)._replace(path=f"/{name}").geturl()
        finally:
            execute(given, f'DROP DATABASE "{name}" WITH (FORCE)')

    return [sqlite, postgresql] if given.startswith("postgres") else [sqlite]


def execute(url: str, sql: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql)


# --- A process for each table --------------------------------------------------------------------


def measure(tables: list[Table], batch: int) -> dict[Table, list[Cost]]:
    """What the batches cost on each table, in turns of a few batches."""
    costs: dict[Table, list[Cost]] = {table: [] for table in tables}
    with ExitStack() as stack:
        workers = {table: stack.enter_context(worker(table, batch)) for table in tables}
        for _ in range(ROUNDS):
            for table, connection in workers.items():
                connection.send("go")
                costs[table] += connection.recv()
    return costs


@contextmanager
def worker(table: Table, batch: int) -> Iterator[Connection]:
    """A process that fills the table and then works on a few batches whenever it is told to."""
    context = multiprocessing.get_context("spawn")  # Django is set up anew in each
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, table, batch), daemon=True)
    begun = time.perf_counter()
    process.start()
    there.close()
    try:
        here.recv()
        seconds = time.perf_counter() - begun
        print(f"{table.database}, {table.rows} {table.state}: {seconds:.0f} s to fill", flush=True)
        yield here
    finally:
        process.terminate()
        process.join()


def work(connection: Connection, table: Table, batch: int) -> None:
    os.environ["DATABASE_URL"] = table.url
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.fill import fill, tidy

    call_command("migrate", verbosity=0)
    claimed = batch * ROUNDS * (WARM_UP + MEASURED)
    if table.state == "waiting":
        fill(settled=1, waiting=table.rows + claimed)
    else:
        fill(settled=table.rows, waiting=claimed)
    tidy()
    connection.send("ready")
    while connection.recv():
        connection.send([one_batch(batch) for _ in range(WARM_UP + MEASURED)][WARM_UP:])


def one_batch(size: int) -> Cost:
    """Claim and settle as classifier/worker/classify.py does."""
    from benchmarks.fill import OUTPUT
    from classifier.actions.claim import claim
    from classifier.actions.settle import Outcome, settle
    from classifier.bells import CLASSIFY, ring

    begun, cpu_begun = time.perf_counter(), time.process_time()
    claimed = claim(size)
    ring(CLASSIFY)
    claiming, cpu = time.perf_counter() - begun, time.process_time() - cpu_begun
    outcomes = [Outcome(row.id, OUTPUT) for row in claimed.predictions]
    begun, cpu_begun = time.perf_counter(), time.process_time()
    settled = settle(claimed.lease, outcomes, 0.5, size, "torch fp32")
    assert settled == size, f"{settled} of {size} rows were settled"
    settling, cpu = time.perf_counter() - begun, cpu + time.process_time() - cpu_begun
    return Cost(claiming, settling, cpu)


# --- What came of it -----------------------------------------------------------------------------


def print_table(costs: dict[Table, list[Cost]], batch: int) -> None:
    print(
        f"\nMilliseconds an image in batches of {batch}, medians of {ROUNDS * MEASURED} batches\n"
    )
    print("| database | rows | claim | settle | both | range | CPU | to the smallest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    smallest: dict[tuple[str, str], float] = {}
    for table, found in costs.items():
        claim, settle, wall, cpu = (
            1000 * statistics.median(getattr(cost, name) for cost in found) / batch
            for name in ("claim", "settle", "wall", "cpu")
        )
        least, most = (1000 * of(cost.wall for cost in found) / batch for of in (min, max))
        base = smallest.setdefault((table.database, table.state), wall)
        print(
            f"| {table.database} | {table.rows:,} {table.state} | {claim:.3f} | {settle:.3f} "
            f"| {wall:.3f} | {least:.3f} to {most:.3f} | {cpu:.3f} | {wall / base:.2f} |"
        )


if __name__ == "__main__":
    main()
