"""What the figures of a benchmark depend on besides the code that it measures."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine(*packages: str) -> dict[str, str]:
    """Cores, versions (of `packages` too), commit and load, as words."""
    from headstart.processors import count_processors
    from headstart.store.provenance import read_git_commit

    return {
        "usable cores": str(count_processors()),
        **{name: read_version(name) for name in ("torch", "transformers", "accelerate", *packages)},
        "commit": str(read_git_commit(Path(__file__).parent)),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def read_version(package: str) -> str:
    """The version that is installed, or that none is."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
