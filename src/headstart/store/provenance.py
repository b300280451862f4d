"""What made a run: versions, machine and commit; asks packages for their versions without importing them."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from headstart.records import CheckpointDigest, Provenance


def collect_provenance(*, data: str, checkpoint: CheckpointDigest | None, commit: str | None) -> Provenance:
    """Where a run that starts now comes from, given the digests of its data and checkpoint."""
    return Provenance(
        **{name: read_version(name) for name in ("headstart", "torch", "transformers", "numpy")},
        python=platform.python_version(),
        platform=platform.platform(),
        processor=describe_processor(),
        commit=commit,
        data_digest=data,
        checkpoint_digest=checkpoint.digest if checkpoint else None,
        checkpoint_files=(checkpoint.files or None) if checkpoint else None,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read_version(package: str) -> str:
    """The version of an installed package, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@cache
def describe_processor() -> str:
    """The processor's name, as well as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


def read_git_commit(folder: Path) -> str | None:
    """The commit of the repository around `folder`, with `+` where files differ from it; None without git."""
    try:
        head = _run_git(folder, "rev-parse", "HEAD")
        changed = _run_git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head.strip() + ("+" if changed.strip() else "")


def _run_git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=5
    )
    return done.stdout
