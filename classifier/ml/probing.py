"""Whether an engine can serve a network on this machine, and how it does so best."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from classifier.ml import engines
from classifier.ml.findings import ONEDNN, Finding, finding_file, read_finding, write_finding
from classifier.ml.machine import cores
from classifier.ml.network import Network
from classifier.ml.probe import REFUSED, examine
from classifier.ml.refusal import Refusal
from classifier.ml.variant import Variant

CHILD = (sys.executable, "-m", "classifier.ml.probe")
CHILD_SECONDS = 180  # torch.compile takes a minute of it
CALIBRATION_SECONDS = 4.0
REFERENCE_SECONDS = 1.0  # users wait for it: it serves first, and always
ROOT = Path(__file__).resolve().parents[2]
# What a process does to itself, by instructions above all; other signals come from outside.
CRASHES = {signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT}

# On virtual machines whose AMX is half there, what oneDNN computes with it dies of an illegal
# instruction. This is the newest that it may use besides.
WITHOUT_AMX = {ONEDNN: "AVX512_CORE_FP16"}


class UnfitVariant(Refusal):
    """It crashes here, or what it computes is wrong; the message says which."""


class Died(UnfitVariant):
    """Its process crashed."""


class Undecided(UnfitVariant):
    """It could not be tried to the end, perhaps because the machine had too much to do."""


class Failed(UnfitVariant):
    """For a reason that nobody foresaw, which may have passed by the next time."""


@dataclass(frozen=True)
class Probe:
    """What was found out about a variant on this machine, each caller computing in one thread."""

    max_batch: int  # the smallest batch within 5 % of the best throughput
    seconds_per_image: float  # at that batch, for one caller
    images_per_second: float  # at that batch, of as many callers as there are cores
    latency_seconds: float  # of one image, for one caller
    memory_bytes: int  # that loading it and warming it up added
    load_seconds: float  # until it is warmed up
    environment: Mapping[str, str] = field(default_factory=dict)  # which `adopt` sets


def probed(
    network: Network, variant: Variant, cache: Path, sample: np.ndarray | None = None
) -> Probe:
    """Probe a variant on this machine, or remember what was found the last time.

    A child process loads it, compares it with the reference on a sample, uint8 pixels
    (n, crop, crop, 3), and finds its batch size. The reference itself is measured in this process,
    within about a second, or as long as any other where there is a sample.

    Raises:
        UnfitVariant: if it must not serve here.
    """
    path = finding_file(network, variant, cache)
    remembered = _understood(read_finding(path))
    if remembered is None:
        remembered = _found_out(network, variant, sample)
        if not isinstance(remembered, Undecided):
            write_finding(path, _as_finding(remembered))
    if isinstance(remembered, UnfitVariant):
        raise remembered
    return remembered


def remember_batch(path: Path, max_batch: int) -> None:
    """Keep a smaller batch than the one that was found, since the memory does not suffice for it.

    `path` is the variant's `finding_file`. Nothing is kept of one that was never probed.
    """
    remembered = _understood(read_finding(path))
    if isinstance(remembered, Probe) and max_batch < remembered.max_batch:
        write_finding(path, _as_finding(replace(remembered, max_batch=max_batch)))


def adopt(variant: Variant, probe: Probe) -> None:
    """Set the environment that a variant needs; call it before the variant is loaded.

    Raises:
        UnfitVariant: if it is too late for that: libraries read it once, when they first compute.
    """
    lacking = {k: v for k, v in probe.environment.items() if os.environ.get(k) != v}
    if lacking and variant.engine in engines.loaded_here:
        settings = " ".join(f"{name}={value}" for name, value in lacking.items())
        raise UnfitVariant(
            f"{variant} needs {settings}, which comes too late for this process; "
            "restart it with that in its environment"
        )
    os.environ.update(lacking)


def answers(
    network: Network,
    variant: Variant,
    pixels: np.ndarray,
    batch: int,
    environment: Mapping[str, str],
) -> np.ndarray:
    """The probabilities (n, classes) of pixels (n, crop, crop, 3), by as many callers as cores.

    Where the variant needs an environment, a process of its own computes them: it is too late for
    that in this one, or would be too early for what is measured here after it.

    Raises:
        UnfitVariant: if they are no finite numbers.
    """
    given = (network, variant, pixels, batch)
    if environment:
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, spawned, _get_ready, (environment,)) as pool:
            found = pool.submit(_answers, *given).result()
    else:
        found = _answers(*given)
    if not np.isfinite(found).all():
        raise UnfitVariant(f"{variant} answers with values that are no finite numbers")
    return found


def _get_ready(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    engines.share_cores(cores())


def _answers(network: Network, variant: Variant, pixels: np.ndarray, batch: int) -> np.ndarray:
    engine = engines.load_engine(network, variant)
    engine.max_batch = batch
    parts = [pixels[start : start + batch] for start in range(0, len(pixels), batch)]
    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(engine.predict, parts)))


def _found_out(
    network: Network, variant: Variant, sample: np.ndarray | None
) -> Probe | UnfitVariant:
    if variant == network.reference:
        seconds = REFERENCE_SECONDS if sample is None else CALIBRATION_SECONDS
        return Probe(**examine(network, variant, None, seconds))
    try:
        try:
            return _probed_by_child(network, variant, sample, {})
        except Died:
            return _probed_by_child(network, variant, sample, WITHOUT_AMX)
    except Failed:
        raise
    except UnfitVariant as error:
        return error


def _probed_by_child(
    network: Network,
    variant: Variant,
    sample: np.ndarray | None,
    environment: Mapping[str, str],
) -> Probe:
    with tempfile.TemporaryDirectory() as folder:
        request: dict[str, Any] = {
            "architecture": network.architecture,
            "weights": str(network.weights.resolve()),
            "spec": network.spec.to_json(),
            "engine": variant.engine,
            "precision": variant.precision,
            "recipe": variant.recipe,
            "file": str(variant.file.resolve()) if variant.file else "",
            "sample": "",
            "seconds": CALIBRATION_SECONDS,
        }
        if sample is not None:
            request["sample"] = str(Path(folder, "sample.npy"))
            np.save(request["sample"], sample)
        answer = _ask_child(variant, json.dumps(request), environment)
    return Probe(**json.loads(answer), environment=environment)


def _ask_child(variant: Variant, request: str, environment: Mapping[str, str]) -> str:
    """The child's last line."""
    with subprocess.Popen(  # noqa: S603 - our own module, no arguments
        CHILD,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # what it starts in turn, as compilers, ends with it
    ) as child:
        try:
            answer, errors = child.communicate(request, timeout=CHILD_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Undecided(f"{variant} takes more than {CHILD_SECONDS} s to try") from error
        finally:
            _end(child)
    if child.returncode < 0:
        number = signal.Signals(-child.returncode)
        if number in CRASHES:
            raise Died(f"{variant} ended the process that tried it: {number.name}")
        # As the system does by SIGKILL when memory runs out.
        raise Undecided(f"the process that tried {variant} was ended from outside: {number.name}")
    if child.returncode == REFUSED:
        raise UnfitVariant(_last_line(errors))
    if child.returncode:
        raise Failed(f"{variant} cannot be tried here: {_last_line(errors)}")
    return _last_line(answer)


def _end(child: subprocess.Popen[str]) -> None:
    """Kill it and all that it started, if any of that is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _as_finding(found: Probe | UnfitVariant) -> Finding:
    return asdict(found) if isinstance(found, Probe) else {"unfit": str(found)}


def _understood(finding: Finding | None) -> Probe | UnfitVariant | None:
    """None for what an older version of this module, or nobody at all, wrote."""
    if finding is None:
        return None
    if set(finding) == {"unfit"}:
        return UnfitVariant(finding["unfit"])
    try:
        return Probe(**finding)
    except TypeError:
        return None
