"""Makes of a pickle's storages and tensors what says where their numbers lie; reads none."""

from __future__ import annotations

from typing import Any

from headstart.models.fairseq.pickle_limits import LARGEST, MOST_DIMENSIONS, PickleError
from headstart.models.fairseq.pickle_names import STORAGES
from headstart.models.fairseq.pickle_values import Name, Record, StorageRef, TensorRef


def make_storage(place: Any) -> StorageRef:
    """`("storage", torch.FloatStorage, key, device, count)`, with views of storages before torch 0.4."""
    if not isinstance(place, tuple) or len(place) < 5 or place[0] not in ("storage", b"storage"):
        raise PickleError("something other than a storage kept outside the pickle")
    kind, key, count = place[1], place[2], place[4]
    if len(place) > 5 and place[5] is not None:
        raise PickleError("views of storages, as torch wrote them before version 0.4")
    name = kind.path.removeprefix("torch.") if isinstance(kind, Name) else ""
    if name not in STORAGES:
        raise PickleError("a storage of an unknown kind of numbers")
    return StorageRef(str(key)[:80] if isinstance(key, str | int) else "", name, _check_count(count))


def make_tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> TensorRef:
    """What `_rebuild_tensor` is called with: a tensor that lies within its storage."""
    if not isinstance(storage, StorageRef):
        raise PickleError("a tensor without numbers")
    lengths, steps = _check_counts(shape), _check_counts(strides)
    if len(lengths) != len(steps):
        raise PickleError("a tensor whose strides are not those of its shape")
    tensor = TensorRef(storage, _check_count(offset), lengths, steps)
    if tensor.size and (tensor.offset + tensor.span > storage.count or tensor.size > storage.count):
        raise PickleError(f"a tensor of shape {list(lengths)} in a storage of {storage.count:,} numbers")
    return tensor


def _check_counts(values: Any) -> tuple[int, ...]:
    parts = values.arguments[0] if isinstance(values, Record) and values.arguments else values
    if not isinstance(parts, tuple | list) or len(parts) > MOST_DIMENSIONS:
        raise PickleError("a tensor without a shape")
    return tuple(map(_check_count, parts))


def _check_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise PickleError("a size that is none")
    return value
