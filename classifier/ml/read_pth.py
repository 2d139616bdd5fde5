"""Run as a process of its own: turn a pickled state_dict into safetensors.

    python -m classifier.ml.read_pth IN.pth OUT.safetensors

Only tensors are read (torch's `weights_only`), within limits on CPU time and memory, so that a
hostile file can neither run code nor exhaust the machine. Refusals are one line on stderr.
"""

import pickle
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from classifier.ml.children import limit_this_process

CPU_SECONDS = 240
MOST_TENSORS = 10_000  # ten times as many as the network that has the most of them
BEGINNINGS = (b"PK", b"\x80\x02")  # of what torch.save writes: a ZIP archive, once a pickle
NOT_TORCH = "it is damaged, or not a file that torch.save wrote"


def main(source: Path, target: Path) -> None:
    """Read, check and write; exits with status 1 and a reason where the file is refused."""
    limit_this_process(source, CPU_SECONDS)
    with source.open("rb") as file:
        if file.read(2) not in BEGINNINGS:
            sys.exit(NOT_TORCH)
    try:
        save_file(tensors_in(torch.load(source, map_location="cpu", weights_only=True)), target)
    except pickle.UnpicklingError:
        sys.exit("it holds more than tensors; save the network's state_dict() alone")
    except Exception as error:  # a damaged archive raises whatever it likes
        sys.exit(_why(error))


def tensors_in(state: object) -> dict[str, torch.Tensor]:
    if not isinstance(state, dict) or not state:
        sys.exit(f"it holds a {type(state).__name__}, not a state_dict")
    if len(state) > MOST_TENSORS:
        sys.exit(f"it holds {len(state)} tensors; {MOST_TENSORS} are the most")
    for name, value in state.items():
        if isinstance(value, dict):
            sys.exit(f"it is a checkpoint; save the state_dict in its {name!r} alone")
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            sys.exit(f"{name!r} in it is no tensor; save the network's state_dict() alone")
    # Copies, because safetensors takes no tensors that share memory.
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}


def _why(error: Exception) -> str:
    if "TorchScript" in str(error):
        return "it is a TorchScript archive; save the network's state_dict() instead"
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return "it takes far more memory than its size; save it as .safetensors"
    return NOT_TORCH


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
