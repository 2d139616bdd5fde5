"""Store a model's weights and make it a version that can serve."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.fields.files import FieldFile

from classifier.actions.promote import activate as let_serve
from classifier.actions.storing import store_whole
from classifier.models import ModelVersion

TRIES = 5  # for a version's number, against others who install under the same name


@dataclass(frozen=True)
class NewModel:
    """A model to install: a safetensors file that fits its architecture, or an ONNX file such as
    ours, and facts about it."""

    name: str  # a slug
    architecture: str
    weights: Path
    spec: Mapping[str, Any]  # a ModelSpec's JSON
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    licence: str = ""

    @property
    def engine(self) -> str:
        """What computes it where nothing else was measured; the file's kind decides."""
        return "onnxruntime" if self.weights.suffix == ".onnx" else "torch"


def install(new: NewModel, *, activate: bool = False) -> ModelVersion:
    """Make the model the next version of its name, and let it serve if `activate`.

    The same weights with the same spec are installed once under one name: the version that is
    there already is returned. The file is stored before the row that needs it is committed.

    Raises:
        ValidationError: if a value does not fit its field, such as a name that is no slug.
    """
    sha256 = digest(new.weights)
    version = installed(new, sha256) or _create(new, sha256)
    if activate:
        let_serve(version)
        version.refresh_from_db()
    return version


def installed(new: NewModel, sha256: str) -> ModelVersion | None:
    """The version of that name with the same architecture, spec and weights, if there is one."""
    same_weights = ModelVersion.objects.filter(
        name=new.name, architecture=new.architecture, engine=new.engine, sha256=sha256
    )
    return next((version for version in same_weights if version.spec == new.spec), None)


@contextmanager
def file_on_disk(stored: FieldFile) -> Iterator[Path]:
    """A model's file on this machine; fetched for the while from a storage elsewhere."""
    try:
        path = Path(stored.path)
    except NotImplementedError:  # a storage without paths, as S3
        with tempfile.NamedTemporaryFile(suffix=Path(str(stored.name)).suffix) as local:
            with stored.open() as remote:
                shutil.copyfileobj(remote, local)
            local.flush()
            yield Path(local.name)
    else:
        yield path


def store_model_file(source: Path, sha256: str) -> str:
    """Store a model's file under its digest, unless it is there whole, and return its path."""
    name = f"models/{sha256}{source.suffix}"
    if default_storage.exists(name):
        if default_storage.size(name) == source.stat().st_size:
            return name
        default_storage.delete(name)  # damaged, and not by us
    with source.open("rb") as file:
        store_whole(name, file)
    return name


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _create(new: NewModel, sha256: str) -> ModelVersion:
    version = ModelVersion(
        name=new.name,
        architecture=new.architecture,
        sha256=sha256,
        spec=dict(new.spec),
        engine=new.engine,
        metrics=dict(new.metrics),
        training=dict(new.training),
        calibration=dict(new.calibration),
        source=new.source,
        licence=new.licence,
    )
    version.clean_fields(exclude=["version", "weights"])
    version.weights = store_model_file(new.weights, sha256)
    return _number(version)


def _number(version: ModelVersion) -> ModelVersion:
    """Save the row under its name's next number, or the one after that where a twin takes it."""
    for _ in range(TRIES):
        newest = ModelVersion.objects.filter(name=version.name).aggregate(Max("version"))
        version.version = (newest["version__max"] or 0) + 1
        try:
            with transaction.atomic():
                version.save(force_insert=True)
                return version
        except IntegrityError as error:
            twin = error
    raise twin
