"""Machines for tests of many: a network namespace each, joined by a cable, and commands that run there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest


@dataclass
class Node:
    """One machine: its name, its address on the cable, and what runs there."""

    name: str
    address: str
    namespace: str
    clock: str | None = None
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *words: object, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Run a command there: no process of another machine has a number for it, nor its name."""
        inside = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        moved = _move_clock(self.clock) if self.clock else []
        command = ["ip", "netns", "exec", self.namespace, *inside, *named, *moved, *map(str, words)]
        with log.open("a", encoding="utf-8") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=stream, text=True, env=os.environ | dict(env or {})
            )
        self.started.append(process)
        return process

    def kill(self) -> None:
        """End all that runs there at once, as a power cut does."""
        for process in self.started:
            _kill_tree(process.pid)
            process.wait(timeout=60)
        self.started.clear()


def _kill_tree(pid: int) -> None:
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for process in [*family, psutil.Process(pid)]:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


@contextmanager
def make_nodes(count: int, *, clocks: tuple[str | None, ...] = ()) -> Iterator[list[Node]]:
    """So many machines on one cable, gone with all that runs there at the end of the block.

    Args:
        clocks: how far each one's clock is off, as faketime has it.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2: it makes network namespaces")
    mark = f"hs{os.getpid()}"
    bridge = f"{mark}b"[:15]
    nodes = [Node(f"node-{i}", f"10.213.7.{i + 1}", f"{mark}-{i}") for i in range(count)]
    for node, clock in zip(nodes, clocks, strict=False):
        node.clock = clock
    made: list[list[str]] = []
    try:
        _do(made, ["ip", "link", "add", bridge, "type", "bridge"], ["ip", "link", "del", bridge])
        _call("ip", "link", "set", bridge, "up")
        for i, node in enumerate(nodes):
            _plug(node, f"{mark}v{i}"[:15], bridge, made)
        yield nodes
    finally:
        for node in nodes:
            node.kill()
        for undo in reversed(made):
            subprocess.run(undo, check=False, capture_output=True)


def _plug(node: Node, cable: str, bridge: str, made: list[list[str]]) -> None:
    _do(made, ["ip", "netns", "add", node.namespace], ["ip", "netns", "del", node.namespace])
    _call("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", node.namespace)
    _call("ip", "link", "set", cable, "master", bridge, "up")
    inside = ["ip", "-n", node.namespace]
    _call(*inside, "addr", "add", f"{node.address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        _call(*inside, "link", "set", device, "up")


def _do(made: list[list[str]], words: list[str], undo: list[str]) -> None:
    _call(*words)
    made.append(undo)


def _call(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{' '.join(words)}: {done.stderr.strip()}")


def find_clock() -> str | None:
    """An hour ahead, where libfaketime is installed (Debian's package faketime)."""
    return "+1h" if _find_faketime() else None


def _find_faketime() -> Path | None:
    places = (Path("/usr/lib").glob(f"{folder}faketime/libfaketimeMT.so.1") for folder in ("", "*/"))
    return next((file for files in places for file in files), None)


def _move_clock(clock: str) -> list[str]:
    """What makes a command see another time of day, without faketime's wrapper: that names semaphores by
    process ids, which these machines share."""
    library = _find_faketime()
    assert library is not None
    return ["env", f"LD_PRELOAD={library}", f"FAKETIME={clock}"]
