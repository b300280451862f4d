"""Reads a pickle as data: its operations build plain values and records; no class is loaded, nothing called.

`torch.load(weights_only=True)` calls what it allows, `bytearray` of any size among it; and of older files it
reads every storage, those of the optimiser too.
"""

from __future__ import annotations

import pickletools
from typing import IO, Any

from headstart.models.fairseq.pickle_limits import LONGEST_LINE, MOST_BYTES, MOST_STEPS, PickleError
from headstart.models.fairseq.pickle_machine import Machine
from headstart.models.fairseq.pickle_values import StorageRef


def read_pickle(stream: IO[bytes], storages: dict[str, StorageRef] | None = None) -> Any:
    """What the pickle at a stream's place holds; the stream then stands behind it.

    Args:
        storages: gets each storage that is named, by its key.

    Of objects there are only a `Record` and a `TensorRef`; sets come as lists or tuples.

    Raises:
        PickleError: it is damaged or too large; ForbiddenNameError: it names what is not allowed.
    """
    machine = Machine({} if storages is None else storages)
    try:
        for step, (operation, argument, _) in enumerate(pickletools.genops(_Bounded(stream))):  # type: ignore[arg-type]
            if step > MOST_STEPS:
                raise PickleError(f"more than {MOST_STEPS:,} operations")
            machine.run(operation.name, argument)
        return machine.stack.pop()
    except PickleError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise PickleError(str(error)[:200] or type(error).__name__) from error


class _Bounded:
    """A stream that gives no more than a pickle's most bytes, whatever length the pickle states."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MOST_BYTES

    def read(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0 or count < 0:
            raise PickleError(f"more than {MOST_BYTES >> 20} MiB of settings")
        return self._stream.read(count)

    def readline(self) -> bytes:
        line = self._stream.readline(LONGEST_LINE)
        self._left -= len(line)
        if not line.endswith(b"\n"):
            raise PickleError("a line without end")
        return line

    def tell(self) -> int:
        return self._stream.tell()
