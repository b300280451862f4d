"""A Ray cluster of two nodes on this machine, each in a network namespace of its own, with one processor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Why it cannot be had; empty where it can.
MISSING = (
    "Ray is not installed"
    if find_spec("ray") is None
    else "network namespaces need root"
    if os.name != "posix" or os.geteuid() != 0
    else "the command `ip` is not there"
    if shutil.which("ip") is None
    else ""
)
_PORT = 6379
_STORE = 100_000_000


def can_make_namespaces() -> bool:
    """Whether this system lets root have network namespaces: containers often do not."""
    name = f"hs{os.getpid()}probe"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if done.returncode == 0:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return done.returncode == 0


@dataclass(frozen=True)
class Node:
    """A node of the cluster: its namespace and its address there."""

    name: str
    address: str
    environment: dict[str, str]

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on it, to its end."""
        return subprocess.run(self._words(words), env=self.environment, text=True, check=False, **options)

    def begin(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command on it."""
        return subprocess.Popen(self._words(words), env=self.environment, text=True, **options)

    def _words(self, words: tuple[str, ...]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def list_processes(self) -> list[int]:
        """All that run on it."""
        told = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return [int(word) for word in told.stdout.split()]

    def kill(self) -> None:
        """End all its processes at once, as a machine that loses power does."""
        for process in self.list_processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


class TwoNodes:
    """The head, where a driver runs too, and a worker."""

    def __init__(self, head: Node, worker: Node, folder: str) -> None:
        self.head, self.worker, self._folder = head, worker, folder

    @property
    def address(self) -> str:
        """Of the cluster."""
        return f"{self.head.address}:{_PORT}"

    def start_head(self) -> None:
        """Start Ray on the head."""
        _start(self.head, ["--head", "--port", str(_PORT), "--include-dashboard", "false"], self._folder)

    def start_worker(self, hidden: Path | None = None) -> None:
        """Start Ray on the worker, which sees an empty folder in place of `hidden`."""
        self.worker.kill()
        _start(self.worker, ["--address", self.address], self._folder, hidden)


@contextmanager
def two_nodes(environment: dict[str, str]) -> Iterator[TwoNodes]:
    """The cluster, while the block runs; nothing of it is left afterwards."""
    tag, net = f"hs{os.getpid() % 100_000}", f"10.{77 + os.getpid() % 100}.0"
    folder = tempfile.mkdtemp(prefix="hsr-", dir="/tmp")  # Ray's sockets need short names
    own = os.environ | environment | {"RAY_USAGE_STATS_ENABLED": "0"}
    nodes = [Node(f"{tag}{letter}", f"{net}.{place}", own) for place, letter in enumerate("ab", 1)]
    try:
        _connect(nodes)
        cluster = TwoNodes(nodes[0], nodes[1], folder)
        cluster.start_head()
        cluster.start_worker()
        yield cluster
    finally:
        for node in nodes:
            node.kill()
            _ip("netns", "delete", node.name)
        time.sleep(0.2)
        shutil.rmtree(folder, ignore_errors=True)


def _connect(nodes: list[Node]) -> None:
    for node in nodes:
        _ip("netns", "add", node.name)
    ends = [f"{node.name}v" for node in nodes]
    pairs = ["link", "add", ends[0], "netns", nodes[0].name, "type", "veth"]
    _ip(*pairs, "peer", "name", ends[1], "netns", nodes[1].name)
    for node, end in zip(nodes, ends, strict=True):
        _ip("-n", node.name, "addr", "add", f"{node.address}/24", "dev", end)
        _ip("-n", node.name, "link", "set", end, "up")
        _ip("-n", node.name, "link", "set", "lo", "up")


def _start(node: Node, where: list[str], folder: str, hidden: Path | None = None) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    words = [ray, "start", *where, "--node-ip-address", node.address, "--num-cpus", "1"]
    words += ["--object-store-memory", str(_STORE), "--disable-usage-stats", "--temp-dir", folder]
    if hidden is not None:  # `ip netns exec` gives each command mounts of its own
        words = ["sh", "-c", f"mount -t tmpfs none '{hidden}' && exec {' '.join(words)}"]
    done = node.run(*words, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=False)
