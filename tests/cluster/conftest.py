"""Tests on machines made of this one: `make cluster-test`. They are skipped without root and `ip`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from cluster_nodes import Node, make_nodes


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """Two machines with names, processes and networks of their own, that reach one another."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2: it makes network namespaces")
    with make_nodes(2) as made:
        yield made
