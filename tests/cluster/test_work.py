"""Two machines train one study from a shared folder; one is cut off in the middle, and nothing differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cluster_nodes import Node, find_clock
from hashed import hash_results

StudyFile = Callable[..., Path]
HEADSTART = (sys.executable, "-m", "headstart")
ENV = {"OMP_NUM_THREADS": "1", "HEADSTART_STALE_SECONDS": "10", "HEADSTART_STATE_SECONDS": "0"}
TRAINING = {"epochs": 30, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32"}


def find_packs_in_hand(out: Path, host: str) -> list[str]:
    """Packs whose leases a machine of that name holds."""
    leases = out.glob(".headstart/queue/leases/*/pack.*.held")
    return [file.parent.name for file in leases if _read_host(file) == host]


def _read_host(file: Path) -> str:
    try:
        return str(json.loads(file.read_bytes().split(b"\n")[0])["host"])
    except (OSError, ValueError):
        return ""


def await_that(holds: Callable[[], object], process: subprocess.Popen[str], log: Path) -> None:
    """Wait until it is so, while the process is there."""
    until = time.monotonic() + 240
    while not holds():
        assert process.poll() is None, log.read_text("utf-8")
        assert time.monotonic() < until, log.read_text("utf-8")
        time.sleep(0.05)


def test_a_study_of_two_machines_ends_like_a_local_one_though_one_is_cut_off(
    nodes: list[Node], study_file: StudyFile, tmp_path: Path
) -> None:
    """Their clocks are an hour apart where faketime is installed."""
    arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
    file = study_file(arms=arms, seeds=[0, 1], workers=1, pack=1, training=TRAINING)
    out, alone = tmp_path / "out", tmp_path / "alone"
    first, second = nodes
    if (clock := find_clock()) is None:
        print("faketime is not installed: the clocks are the same")
    second.clock = clock
    log = tmp_path / "log"
    coordinator = first.start(*HEADSTART, "run", file, "--no-local-workers", log=log, env=ENV)
    work = (*HEADSTART, "work", out, "--workers", "1", "--wait", "120")
    worker = first.start(*work, log=tmp_path / "log-0", env=ENV)
    lost = second.start(*work, log=tmp_path / "log-1", env=ENV)
    await_that(lambda: _has_state(out, second.name), lost, tmp_path / "log-1")
    (in_hand,) = find_packs_in_hand(out, second.name)
    second.kill()
    assert not (out / ".headstart/queue/ended" / in_hand).exists(), "it was to be killed in the middle"
    assert coordinator.wait(timeout=240) == 0, log.read_text("utf-8")
    assert worker.wait(timeout=60) == 0, (tmp_path / "log-0").read_text("utf-8")
    said = log.read_text("utf-8")
    assert f"on host {second.name}" in said
    assert "ended without giving back" in said or "which 1 lost" in (tmp_path / "log-0").read_text("utf-8")
    local = [*HEADSTART, "run", str(file), f"out={alone}"]
    subprocess.run(local, check=True, env=os.environ | ENV, capture_output=True, timeout=240)
    assert hash_results(out) == hash_results(alone)


def _has_state(out: Path, host: str) -> bool:
    """Whether the machine has a pack in hand, and somebody has saved a state."""
    return bool(find_packs_in_hand(out, host)) and any(out.glob("runs/*/*/*/checkpoint/*"))


def test_each_machine_has_its_own_name(nodes: list[Node], tmp_path: Path) -> None:
    for node in nodes:
        log = tmp_path / node.name
        assert node.start("hostname", log=log).wait(timeout=60) == 0
        assert log.read_text("utf-8").strip() == node.name
