"""Bodies are run when they first come, captured when they come again, and replayed from then on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from headstart.engine import graphs as module
from headstart.engine.graphs import Body, Capturing, Graphs


class FakeCapture:
    """Captures a body as itself, and counts."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.count, self.error = 0, error

    def __call__(self, body: Body) -> Body:
        self.count += 1
        if self.error is not None:
            raise self.error
        return body

    def release_memory(self) -> None:
        """Nothing is held."""


def _counting() -> tuple[list[int], Callable[[], None]]:
    calls: list[int] = []
    return calls, lambda: calls.append(len(calls))


def test_a_body_is_captured_when_it_comes_again_and_done_once_each_time() -> None:
    capture, (calls, body) = FakeCapture(), _counting()
    graphs = Graphs(Capturing(capture))
    for times in range(1, 5):
        graphs.run("a", body)
        assert len(calls) == times
        assert capture.count == (0 if times == 1 else 1)
    assert len(graphs) == 1


def test_a_body_may_have_to_come_more_often_before_it_is_captured() -> None:
    capture, (calls, body) = FakeCapture(), _counting()
    graphs = Graphs(Capturing(capture), plain_runs=3)
    for times in range(1, 6):
        graphs.run("a", body)
        assert len(calls) == times
        assert capture.count == (times > 3)


def test_without_capture_bodies_run_as_they_are() -> None:
    graphs, (calls, body) = Graphs(Capturing(None)), _counting()
    for _ in range(3):
        graphs.run("a", body)
    assert len(calls) == 3
    assert len(graphs) == 0


def test_where_capturing_fails_bodies_run_and_the_reason_is_kept() -> None:
    capturing = Capturing(FakeCapture(RuntimeError("operation not permitted\nmore")))
    graphs, (calls, body) = Graphs(capturing), _counting()
    for _ in range(4):
        graphs.run("a", body)
    assert len(calls) == 4
    assert capturing.reason == "RuntimeError: operation not permitted"
    assert not capturing.is_on


def test_memory_that_runs_out_is_told_even_where_the_end_of_a_capture_hides_it() -> None:
    error = RuntimeError("capture invalidated")
    error.__context__ = torch.OutOfMemoryError("no memory")
    capturing = Capturing(FakeCapture(error))
    graphs, (_, body) = Graphs(capturing), _counting()
    graphs.run("a", body)
    with pytest.raises(RuntimeError, match="capture invalidated"):
        graphs.run("a", body)
    assert capturing.reason is None


def test_bodies_beyond_the_most_that_are_kept_run_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """They come in turn: with eviction each would leave just before it comes again."""
    monkeypatch.setattr(module, "_MOST_GRAPHS", 2)
    capture, (calls, body) = FakeCapture(), _counting()
    graphs = Graphs(Capturing(capture))
    for key in "abc" * 4:
        graphs.run(key, body)
    assert len(graphs) == capture.count == 2
    assert len(calls) == 12
