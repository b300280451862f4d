"""Tests on machines made of this one: `make cluster-test`. They are skipped without root and `ip`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster_nodes import Node, make_nodes


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """Two machines with names, processes and networks of their own, that reach one another."""
    with make_nodes(2) as made:
        yield made
