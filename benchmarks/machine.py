"""What the figures of a benchmark depend on besides the code that it measures."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path


def machine() -> dict[str, str]:
    """Cores, versions, commit and load, as words."""
    from headstart.processors import count_processors
    from headstart.store.provenance import read_git_commit

    return {
        "usable cores": str(count_processors()),
        **{name: version(name) for name in ("torch", "transformers", "accelerate")},
        "commit": str(read_git_commit(Path(__file__).parent)),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
