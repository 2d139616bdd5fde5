"""Which machine this is, as receipts and benchmarks state it and as findings are kept for."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

LIBRARIES = ("torch", "onnxruntime", "openvino")
# What decides on a CPU's speed, and on whether an engine works at all. Generic names of virtual
# CPUs tell neither.
INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")

Facts = dict[str, str | int]


def machine_facts() -> Facts:
    """CPU, cores, memory in bytes, GPU, and the versions of Python and of the engines' libraries.

    What is not there is an empty text.
    """
    return {
        "cpu": _cpu_field("model name") or platform.processor() or platform.machine(),
        "instructions": _instructions(),
        "cores": cores(),
        "memory_bytes": _memory_bytes(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
    }


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster there than float32; on CPUs it takes instructions of its own."""
    return device.type == "cuda" or "bf16" in _instructions()


def _cpu_field(name: str) -> str:
    """Linux's own description of the first core; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")


def _instructions() -> str:
    flags = _cpu_field("flags").split()
    return " ".join(name for name in INSTRUCTIONS if name in flags)


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
