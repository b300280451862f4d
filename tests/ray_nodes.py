"""A Ray cluster of two nodes, each a machine of `cluster_nodes`, with one processor."""

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
from pathlib import Path
from typing import Any

from cluster_nodes import make_nodes

_PORT = 6379
_STORE = 100_000_000


@dataclass(frozen=True)
class RayNode:
    """A node of the cluster: its namespace and its address there.

    Its processes have numbers like any other's here: Ray goes on when the command that starts it has ended.
    """

    namespace: str
    address: str
    environment: dict[str, str]

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on it, to its end."""
        return subprocess.run(self._words(words), env=self.environment, text=True, check=False, **options)

    def begin(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command on it."""
        return subprocess.Popen(self._words(words), env=self.environment, text=True, **options)

    def _words(self, words: tuple[str, ...]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *words]

    def list_processes(self) -> list[int]:
        """All that run on it."""
        told = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
        )
        return [int(word) for word in told.stdout.split()]

    def kill(self) -> None:
        """End all its processes at once, as a machine that loses power does."""
        for process in self.list_processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


class TwoNodes:
    """The head, where a driver runs too, and a worker."""

    def __init__(self, head: RayNode, worker: RayNode, folder: str) -> None:
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
    own = os.environ | environment | {"RAY_USAGE_STATS_ENABLED": "0"}
    with make_nodes(2) as machines:
        folder = tempfile.mkdtemp(prefix="hsr-", dir="/tmp")  # Ray's sockets need short names
        nodes = [RayNode(machine.namespace, machine.address, own) for machine in machines]
        cluster = TwoNodes(nodes[0], nodes[1], folder)
        try:
            cluster.start_head()
            cluster.start_worker()
            yield cluster
        finally:
            for node in nodes:
                node.kill()
            time.sleep(0.2)
            shutil.rmtree(folder, ignore_errors=True)


def _start(node: RayNode, where: list[str], folder: str, hidden: Path | None = None) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    words = [ray, "start", *where, "--node-ip-address", node.address, "--num-cpus", "1"]
    words += ["--object-store-memory", str(_STORE), "--disable-usage-stats", "--temp-dir", folder]
    if hidden is not None:  # `ip netns exec` gives each command mounts of its own
        words = ["sh", "-c", f"mount -t tmpfs none '{hidden}' && exec {' '.join(words)}"]
    done = node.run(*words, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
