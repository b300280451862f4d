"""Starts two `run`s of one study together, again and again, and counts how often all ended well.

Of the two one trains and the other is refused, or with `--wait` waits and finds all done. It ended well where
exit codes and messages are these, and the folder's predictions and models are those of a study run alone,
byte for byte, with nothing half-written left. Prints a line for each start, and one for each kind.

    python benchmarks/two_runs.py [TIMES]
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from kill_studies import write_fixtures

_SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
#: Seconds after which a `run` hangs.
PATIENCE = 600.0


def main(times: int = 20) -> int:
    """Give 0 where every start ended well."""
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder))
        alone = Path(folder) / "alone"
        ended = start(study, alone)
        ended.communicate(timeout=PATIENCE)
        expected = hash_files(alone)
        good = {wait: count_good_ends(study, expected, times, wait=wait) for wait in (False, True)}
    for wait, count in good.items():
        print(f"two runs at once, the other {'waits' if wait else 'is refused'}: {count} of {times} end well")
    return 0 if set(good.values()) == {times} else 1


def write_study(folder: Path) -> Path:
    """A study of seconds: two arms, two seeds, two workers."""
    write_fixtures(folder)
    values = {
        "data": {"path": str(folder / "data.jsonl")},
        "model": str(folder / "bert"),
        "arms": {"pretrained": {}, "random": {"init": "random"}},
        "seeds": 2,
        "workers": 2,
        "pack": 1,
        "training": {"batch_size": 8, "epochs": 2, "max_length": 16, "precision": "fp32"},
    }
    file = folder / "study.yaml"
    file.write_text(json.dumps(values), encoding="utf-8")
    return file


def start(study: Path, out: Path, *words: str) -> subprocess.Popen[str]:
    """Begin to run the study."""
    command = [sys.executable, "-m", "headstart", "run", str(study), f"out={out}", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(_SOURCE), os.environ.get("PYTHONPATH", "")]).rstrip(":")
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )


def count_good_ends(study: Path, expected: dict[str, str], times: int, *, wait: bool) -> int:
    """How many of so many starts ended well; what was wrong with the others is told."""
    problems = []
    for i in range(times):
        began = time.monotonic()
        problems.append(start_two(study, expected, i, wait=wait))
        told = problems[-1] or "ends well"
        print(f"start {i}{' --wait' if wait else ''}, {time.monotonic() - began:.0f} s: {told}", flush=True)
    return problems.count("")


def start_two(study: Path, expected: dict[str, str], i: int, *, wait: bool) -> str:
    """Run the study twice at once in a new folder; what went wrong, or nothing."""
    out = study.parent / f"out-{wait}-{i}"
    words = ["--wait"] if wait else []
    both = [start(study, out, *words)]
    time.sleep(0.0 if i % 2 else random.Random(i).uniform(0, 4))
    both.append(start(study, out, *words))
    said = [process.communicate(timeout=PATIENCE)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    late = codes == [0, 0] and not wait and "in use" not in "".join(said)
    if codes != ([0, 0] if wait else [0, 2]) and not late:
        return f"exit codes {codes}: {said}"
    if not wait and not late and "in use by another headstart: process" not in "".join(said):
        return f"nobody is named: {said}"
    if (found := hash_files(out)) != expected:
        return f"files differ: {sorted(set(found.items()) ^ set(expected.items()))}"
    return "".join(str(path) for path in out.rglob(".*") if path.name != ".headstart")


def hash_files(out: Path) -> dict[str, str]:
    """The SHA-256 of predictions and models."""
    files = [file for kind in ("runs/**/*.parquet", "models/**/*") for file in out.glob(kind)]
    # But the cards, which name the folder.
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(files)
        if file.is_file() and file.name != "README.md"
    }


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
