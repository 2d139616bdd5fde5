"""Run as a process of its own: turn a pickled state_dict into safetensors.

    python -m classifier.ml.read_pth IN.pth OUT.safetensors

Only tensors are read (torch's `weights_only`), within limits on CPU time and memory, so that a
hostile file can neither run code nor exhaust the machine. Refusals are one line on stderr.
"""

import pickle
import resource
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

CPU_SECONDS = 240
# torch itself takes less than the first part; tensors are held twice while they are copied.
BASE_BYTES = 2 << 30
BYTES_PER_BYTE = 4
BEGINNINGS = (b"PK", b"\x80\x02")  # of what torch.save writes: a ZIP archive, once a pickle
NOT_TORCH = "it is damaged, or not a file that torch.save wrote"


def main(source: Path, target: Path) -> None:
    """Read, check and write; exits with status 1 and a reason where the file is refused."""
    _limit_resources(source.stat().st_size)
    with source.open("rb") as file:
        if file.read(2) not in BEGINNINGS:
            sys.exit(NOT_TORCH)
    try:
        save_file(_tensors(torch.load(source, map_location="cpu", weights_only=True)), target)
    except pickle.UnpicklingError:
        sys.exit("it holds more than tensors; save the network's state_dict() alone")
    except Exception as error:  # a damaged archive raises whatever it likes
        sys.exit(_why(error))


def _limit_resources(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    memory = BASE_BYTES + BYTES_PER_BYTE * size
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _tensors(state: object) -> dict[str, torch.Tensor]:
    if not isinstance(state, dict) or not state:
        sys.exit(f"it holds a {type(state).__name__}, not a state_dict")
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
