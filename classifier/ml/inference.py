"""From files to probabilities, and from probabilities to what is shown, stored and printed."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from classifier.ml.engines import Engine
from classifier.ml.preprocess import UndecodableImage, preprocess
from classifier.ml.spec import ModelSpec

Output = list[dict[str, str | float]]
Decoded = np.ndarray | UndecodableImage
Preprocess = Callable[[bytes, ModelSpec], np.ndarray]


def top_labels(probabilities: np.ndarray, labels: Sequence[str], top_k: int) -> Output:
    """The `top_k` best labels with their scores, best first, from probabilities (classes,)."""
    [output] = top_labels_of_each(probabilities[None], labels, [top_k])
    return output


def top_labels_of_each(
    probabilities: np.ndarray, labels: Sequence[str], top_ks: Sequence[int]
) -> list[Output]:
    """`top_labels` of each row of probabilities (n, classes), with a number of labels for each."""
    most = min(max(top_ks), len(labels))
    if most < len(labels):  # to find the best costs less than to sort all
        best = np.argpartition(probabilities, -most, axis=1)[:, -most:]
    else:
        best = np.broadcast_to(np.arange(most), probabilities.shape)
    scores = np.take_along_axis(probabilities, best, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    indices = np.take_along_axis(best, order, axis=1).tolist()
    ordered = np.take_along_axis(scores, order, axis=1).tolist()
    return [
        [
            {"label": labels[index], "score": round(score, 6)}
            for index, score in zip(row[:top_k], row_scores[:top_k], strict=True)
        ]
        for row, row_scores, top_k in zip(indices, ordered, top_ks, strict=True)
    ]


def classify_files(
    files: Sequence[Path], engine: Engine, spec: ModelSpec, preprocess: Preprocess = preprocess
) -> Iterator[tuple[Path, Decoded]]:
    """Yield each file with its probabilities (classes,), or with why it has none, in order."""
    return outputs_of_files(files, engine.predict, engine.max_batch, spec, preprocess)


def outputs_of_files(
    files: Sequence[Path],
    compute: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    spec: ModelSpec,
    preprocess: Preprocess,
) -> Iterator[tuple[Path, Decoded]]:
    """Yield each file with what is computed of its pixels, or with why it has none, in order.

    While the network works on one batch, threads decode the next.
    """

    def decode(path: Path) -> Decoded:
        return _decode(path, spec, preprocess)

    with ThreadPoolExecutor(thread_name_prefix="decode") as pool:
        for batch in _decoded_ahead(pool, decode, files, batch_size):
            decoded = [(path, future.result()) for path, future in batch]
            images = [image for _, image in decoded if isinstance(image, np.ndarray)]
            scores = iter(compute(np.stack(images)) if images else ())
            for path, image in decoded:
                yield path, next(scores) if isinstance(image, np.ndarray) else image


def _decoded_ahead(
    pool: ThreadPoolExecutor, decode: Callable[[Path], Decoded], files: Sequence[Path], size: int
) -> Iterator[list[tuple[Path, Future[Decoded]]]]:
    """Batches of files that are being decoded, one batch ahead of the one that is yielded."""
    ahead: list[tuple[Path, Future[Decoded]]] = []
    for start in range(0, len(files), size):
        batch = [(path, pool.submit(decode, path)) for path in files[start : start + size]]
        if ahead:
            yield ahead
        ahead = batch
    if ahead:
        yield ahead


def _decode(path: Path, spec: ModelSpec, preprocess: Preprocess) -> Decoded:
    try:
        return preprocess(path.read_bytes(), spec)
    except UndecodableImage as error:
        return error
    except OSError as error:
        return UndecodableImage(f"The file cannot be read: {error.strerror}.")
