"""From files to probabilities, and from probabilities to what is shown, stored and printed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from classifier.ml.engines import Engine
from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.ml.spec import ModelSpec

Output = list[dict[str, str | float]]
Decoded = torch.Tensor | UndecodableImage


def top_labels(probabilities: torch.Tensor, labels: Sequence[str], top_k: int) -> Output:
    """The `top_k` best labels with their scores, best first, from probabilities (classes,)."""
    scores, indices = probabilities.topk(min(top_k, len(labels)))
    return [
        {"label": labels[index], "score": round(score, 6)}
        for index, score in zip(indices.tolist(), scores.tolist(), strict=True)
    ]


def classify_files(
    files: Sequence[Path], engine: Engine, spec: ModelSpec
) -> Iterator[tuple[Path, Decoded]]:
    """Yield each file with its probabilities (classes,), or with why it has none, in order.

    While the network works on one batch, threads decode the next.
    """
    with ThreadPoolExecutor(thread_name_prefix="decode") as pool:
        for batch in _decoded_ahead(pool, files, engine.max_batch, spec):
            decoded = [(path, future.result()) for path, future in batch]
            images = [image for _, image in decoded if isinstance(image, torch.Tensor)]
            scores = iter(engine.predict(torch.stack(images)) if images else ())
            for path, image in decoded:
                yield path, next(scores) if isinstance(image, torch.Tensor) else image


def _decoded_ahead(
    pool: ThreadPoolExecutor, files: Sequence[Path], size: int, spec: ModelSpec
) -> Iterator[list[tuple[Path, Future[Decoded]]]]:
    """Batches of files that are being decoded, one batch ahead of the one that is yielded."""
    ahead: list[tuple[Path, Future[Decoded]]] = []
    for start in range(0, len(files), size):
        batch = [(path, pool.submit(_decode, path, spec)) for path in files[start : start + size]]
        if ahead:
            yield ahead
        ahead = batch
    if ahead:
        yield ahead


def _decode(path: Path, spec: ModelSpec) -> Decoded:
    try:
        return preprocess(path.read_bytes(), spec)
    except UndecodableImage as error:
        return error
    except OSError as error:
        return UndecodableImage(f"The file cannot be read: {error.strerror}.")
