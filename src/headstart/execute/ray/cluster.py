"""A connection to a Ray cluster; the only file that imports Ray."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from headstart.errors import HeadstartError, MissingExtraError
from headstart.execute.ray import probe
from headstart.execute.ray.calls import (
    Handle,
    Letter,
    LostTaskError,
    Mailbox,
    Needs,
    NoAnswerError,
    Node,
    Shared,
)
from headstart.interrupts import defer_interrupts, keep_handlers
from headstart.wording import cut_text

#: Seconds for which an answer of the mailbox is awaited.
_ANSWER_SECONDS: Final = 10.0
#: Most letters that wait to be read: who reads may be stopped for a while.
_MOST_LETTERS: Final = 100_000
_HOST_AND_PORT: Final = re.compile(r"([^:/]+):([0-9]+)")
_FIX: Final = (
    "see `ray status --address ADDRESS`; name a cluster that runs: --address HOST:6379, or RAY_ADDRESS"
)


class _Box:
    """The actor behind a mailbox; it has no place in a queue for resources."""

    def __init__(self) -> None:
        self._letters = deque[Letter](maxlen=_MOST_LETTERS)

    def put(self, letter: Letter) -> None:
        """Keep a letter."""
        self._letters.append(letter)

    def take(self) -> list[Letter]:
        """Give all letters away."""
        letters = list(self._letters)
        self._letters.clear()
        return letters


class RayMailbox:
    """The actor's handle, in whichever process."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._last: Any = None

    def put(self, letter: Letter) -> None:
        """As `Mailbox`."""
        self._last = self._actor.put.remote(letter)

    def flush(self, seconds: float) -> None:
        """As `Mailbox`: letters of one sender arrive in their order."""
        import ray

        if self._last is not None:
            with suppress(ray.exceptions.RayError):
                ray.get(self._last, timeout=seconds)

    def __reduce__(self) -> tuple[Any, ...]:
        return RayMailbox, (self._actor,)


@dataclass(frozen=True)
class RayShared:
    """As `Shared`: Ray follows its reference wherever it is sent."""

    reference: Any

    def take(self) -> Any:
        """As `Shared`."""
        import ray

        try:
            return ray.get(self.reference)
        except ray.exceptions.RayError as error:
            raise _explain_loss(error, ray.exceptions) from error


class RayCluster:
    """As `Cluster`, by Ray Core's plain tasks."""

    def __init__(self, address: str | None) -> None:
        _connect(address)
        import ray

        self._ray = ray
        # The functions that look at a node are sent whole: what they look for may not be installed there.
        ray.cloudpickle.register_pickle_by_value(probe)
        self._functions: dict[Callable[..., Any], Any] = {}
        self._going = set[Handle]()
        self._box = self._open_box()

    def _open_box(self) -> Any:
        """On this node if it can be: it then ends when we do, and not with another node."""
        here = self._place_on(self._ray.get_runtime_context().get_node_id(), soft=True)
        options = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": here}
        return self._ray.remote(_Box).options(**options).remote()

    def _place_on(self, node_id: str, *, soft: bool) -> Any:
        """What has Ray place something on a node, or on another where `soft` allows it."""
        return self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id, soft=soft)

    def list_nodes(self) -> list[Node]:
        """As `Cluster`."""
        return [_describe_node(node, node["Resources"]) for node in self._list_living()]

    def list_free(self) -> list[Node]:
        """As `Cluster`."""
        # Ray's public call adds up all nodes, and says not where a whole task fits.
        free = self._ray._private.state.available_resources_per_node()
        return [_describe_node(node, free.get(node["NodeID"], {})) for node in self._list_living()]

    def _list_living(self) -> list[Any]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def share(self, value: object) -> Shared:
        """As `Cluster`."""
        return RayShared(self._ray.put(value))

    def open_mailbox(self) -> Mailbox:
        """As `Cluster`."""
        return RayMailbox(self._box)

    def submit(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        needs: Needs,
        node: Node | None = None,
        *,
        alone: bool = False,
    ) -> Handle:
        """As `Cluster`."""
        if function not in self._functions:
            remote = self._ray.remote
            self._functions[function] = remote(max_calls=1)(function) if alone else remote(function)
        options: dict[str, Any] = {"max_retries": 0, "num_cpus": needs.processors, "num_gpus": needs.gpus}
        if needs.memory:
            options["memory"] = needs.memory
        if node is not None:
            options["scheduling_strategy"] = self._place_on(node.id, soft=False)
        handle = self._functions[function].options(**options).remote(*args)
        self._going.add(handle)
        return handle

    def wait(self, handles: Sequence[Handle], seconds: float) -> list[Handle]:
        """As `Cluster`."""
        if not handles:
            return []
        with _deferring():
            ready, _ = self._ray.wait(list(handles), num_returns=len(handles), timeout=seconds)
        return list(ready)

    def fetch(self, handle: Handle) -> Any:
        """As `Cluster`."""
        errors = self._ray.exceptions
        self._going.discard(handle)
        try:
            with _deferring():
                return self._ray.get(handle)
        except errors.RayTaskError as error:
            raise _find_cause(error) from error
        except errors.RayError as error:
            raise _explain_loss(error, errors) from error

    def end(self, handle: Handle, *, force: bool) -> None:
        """As `Cluster`."""
        with suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.cancel(handle, force=force)

    def read_letters(self) -> list[Letter]:
        """As `Cluster`."""
        try:
            with _deferring():
                letters: list[Letter] = self._ray.get(self._box.take.remote(), timeout=_ANSWER_SECONDS)
        except self._ray.exceptions.RayError as error:  # GetTimeoutError is one
            raise NoAnswerError(_shorten(error)) from error
        return letters

    def close(self) -> None:
        """As `Cluster`."""
        for handle in self._going:
            self.end(handle, force=True)
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._box)
        self._ray.shutdown()


def _connect(address: str | None) -> None:
    """Connect to a cluster that runs.

    Raises:
        MissingExtraError: Ray is not installed.
        HeadstartError: no cluster is there, or its versions are others.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray", "--backend ray") from error
    named = address or os.environ.get("RAY_ADDRESS") or "auto"
    if ray.is_initialized():
        raise HeadstartError(
            "this process is connected to a Ray cluster already",
            where="--backend ray",
            fix="call ray.shutdown() before headstart.run",
        )
    _check_port(named)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with keep_handlers(), _deferring():  # Ray's own for SIGTERM would end us at once
            ray.init(address=named, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, TimeoutError, ValueError) as error:
        what = "no Ray cluster answers" + ("" if named == "auto" else f" at {named}")
        raise HeadstartError(f"{what}: {_shorten(error)}", where="--address", fix=_FIX) from error
    except RuntimeError as error:
        raise _explain_refusal(error, named) from error


def _check_port(address: str) -> None:
    """See that somebody listens there: Ray would try for minutes.

    Raises:
        HeadstartError: nobody does.
    """
    match = _HOST_AND_PORT.fullmatch(address)
    if match is None:
        return
    try:
        socket.create_connection((match[1], int(match[2])), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        what = f"no Ray cluster answers at {address}: {_shorten(error)}"
        raise HeadstartError(what, where="--address", fix=_FIX) from error


@contextmanager
def _deferring() -> Iterator[None]:
    """Have signals wait until a call of Ray's is over, for which an error inside it is a fault of its own."""
    with defer_interrupts() as deferred:
        try:
            yield
        except Exception:
            deferred.raise_seen()
            raise


def _explain_refusal(error: RuntimeError, address: str) -> HeadstartError:
    """What Ray means that does not let us in, which it says by a plain RuntimeError."""
    words = str(error)
    if "ersion mismatch" in words:
        said = " ".join(words.split())
        return HeadstartError(
            f"another version than the cluster's: {said}",
            where=f"Ray at {address}",
            fix="install the same Python and Ray here and on all nodes (constraints.txt pins Ray)",
        )
    return HeadstartError(f"no Ray cluster answers: {_shorten(error)}", where=f"Ray at {address}", fix=_FIX)


def _find_cause(error: Any) -> BaseException:
    """What a task raised, as it was: Ray wraps it."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else error


def _explain_loss(error: Exception, errors: Any) -> LostTaskError:
    if isinstance(error, errors.OutOfMemoryError):
        return LostTaskError("memory", "ran out of memory, and was ended by Ray")
    if isinstance(error, errors.TaskCancelledError):
        return LostTaskError("ended", "was ended")
    if isinstance(error, errors.NodeDiedError):
        return LostTaskError("node", "was lost with its node")
    if isinstance(error, errors.WorkerCrashedError | errors.LocalRayletDiedError):
        return LostTaskError("process", f"died: {_shorten(error)}")
    # An object that was lost, or anything else of Ray's own: what it held was on a node.
    return LostTaskError("node", f"was lost: {_shorten(error)}")


def _describe_node(node: Any, resources: Any) -> Node:
    return Node(
        id=str(node["NodeID"]),
        address=str(node["NodeManagerAddress"]),
        processors=int(resources.get("CPU", 0)),
        gpus=int(resources.get("GPU", 0)),
        memory=int(resources.get("memory", 0)),
    )


def _shorten(error: BaseException) -> str:
    """The first line of what Ray says of a fault, which is enough."""
    lines = (line.strip() for line in str(error).splitlines())
    return cut_text(next(filter(None, lines), type(error).__name__))
