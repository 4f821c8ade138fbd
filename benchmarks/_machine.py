"""The machine that a figure was made on, and the processors that it was made with. No host name, no user, no path.

Imports no array library: ``pin`` has to come before they are imported, and a benchmark of memory starts small.
"""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Each library reads its own number of threads, when it is imported.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
#: What decides how memory comes from the system.
_ALLOCATOR = ("THP_MEM_ALLOC_ENABLE", "GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_ARENA_MAX", "MALLOC_CONF")
_PACKAGES = ("numpy", "numba", "torch", "jax", "jaxlib", "optax", "tensorflow", "keras", "scikit-learn", "pyarrow")
#: Other distributions of the same package.
_BUILDS = {"tensorflow": ("tensorflow-cpu",)}


def short(*packages: str) -> str:
    """One line: system, processors, Python, and the versions of the packages named."""
    versions = "".join(f", {name} {version(name)}" for name in packages)
    python = platform.python_version()
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {python}{versions}"


def pin(threads: int) -> list[int]:
    """Bind this process, and what it starts, to the first ``threads`` processors, for every library alike.

    The variables are what PyTorch, BLAS and Numba read; XLA makes as many threads as the process may use processors,
    so the affinity is its setting. To be called before any of them is imported. Returns the processors.

    Raises
    ------
    ValueError
        The process may use fewer processors than that.
    """
    for name in _THREADS:
        os.environ[name] = str(threads)
    if not hasattr(os, "sched_setaffinity"):  # not on Linux; the variables are all that there is
        return list(range(threads))
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise ValueError(f"threads: expected at most {len(allowed)}, the processors of this process, got {threads}")
    os.sched_setaffinity(0, allowed[:threads])
    return allowed[:threads]


def describe() -> dict[str, str]:
    """What a reader needs to judge a figure: processor, caches, memory, system, versions, settings, load."""
    found = {
        "processor": _processor(),
        "processors": f"{os.cpu_count()} seen by the system, {_topology()}",
        "caches": _caches(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()),
        "huge pages": _read(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "load before": " ".join(f"{x:.2f}" for x in os.getloadavg()),
        "Python": platform.python_version(),
    }
    found |= {name: _version(name) for name in _PACKAGES}
    return found


def settings(threads: int, processors: list[int]) -> dict[str, str]:
    """The threads of each library and the allocator's variables, as they are in this process."""
    found = {
        "threads": f"{threads}, bound to processors {', '.join(map(str, processors))}",
        "PyTorch": f"torch.set_num_threads({threads})",
        "JAX": f"as many threads as the {len(processors)} processors that the process is bound to",
        "xent": "as many threads as PyTorch",
    }
    return found | {name: os.environ[name] for name in (*_THREADS, *_ALLOCATOR) if name in os.environ}


def slug(machine: dict[str, str]) -> str:
    """The machine as a part of a file name."""
    name = re.sub(r"\(.*?\)|\d+-Core|Processor|CPU|@.*", " ", machine["processor"])
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "-".join([*words, f"{os.cpu_count()}cpu"])


def shown(arguments: list[str]) -> list[str]:
    """The arguments without the folder of the results, which is of no interest and may name a person."""
    arguments = [argument for argument in arguments if not argument.startswith("--out=")]
    at = arguments.index("--out") if "--out" in arguments else len(arguments)
    return arguments[:at] + arguments[at + 2 :]


def _version(package: str) -> str:
    for build in (package, *_BUILDS.get(package, ())):
        try:
            return version(build)
        except PackageNotFoundError:
            continue
    return "not installed"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else "unknown"


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", _read(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown"


def _topology() -> str:
    listing = Path("/sys/devices/system/cpu")
    siblings = {_read(path) for path in listing.glob("cpu[0-9]*/topology/thread_siblings_list")}
    return f"{len(siblings)} cores by its account" if siblings else "cores unknown"


def _caches() -> str:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index[0-9]*")):
        kind = {"Data": "d", "Instruction": "i"}.get(_read(index / "type"), "")
        found.append(f"L{_read(index / 'level')}{kind} {_read(index / 'size')}")
    return ", ".join(found) or "unknown"


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+) kB$", _read(Path("/proc/meminfo")), re.MULTILINE)
    return f"{int(found[1]) / 2**20:.1f} GiB" if found else "unknown"
