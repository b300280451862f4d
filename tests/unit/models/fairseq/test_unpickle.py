"""Pickles are read as data: nothing of them is run, and what asks for too much ends soon."""

from __future__ import annotations

import io
import os
import pickle
import struct
from argparse import Namespace
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzing import limit_growth, limit_seconds
from headstart.models.fairseq.pickle_limits import ForbiddenNameError, PickleError
from headstart.models.fairseq.pickle_values import Record
from headstart.models.fairseq.unpickle import read_pickle


class Calls:
    """An object whose pickle calls a function with arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def read(content: bytes) -> Any:
    return read_pickle(io.BytesIO(content))


def name_global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read_at_each_protocol(protocol: int) -> None:
    value = {
        "numbers": [0, -1, 255, 70_000, 2**40, -(2**70), 1.5, True, None],
        "texts": ["", "é", "a" * 300],
        "pairs": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "again": OrderedDict(a=1, b=[2]),
        ("a", 1): b"bytes",
    }
    assert read(pickle.dumps(value, protocol)) == value


TEXT = b"X" + struct.pack("<I", 1 << 20)
MANY = b"}(" + b"".join(b"J" + struct.pack("<i", i) + b"N" for i in range(50_000)) + b"uq\x010"
BOMBS = {
    "a state in two parts": MANY
    + b"cargparse\nNamespace\nq\x020]("
    + b"h\x02)\x81h\x01N\x86b" * 90_000
    + b"e.",
    "numbers as keys": b"\x8b"
    + struct.pack("<i", 1 << 23)
    + b"\x11" * (1 << 23)
    + b"q\x010}"
    + b"h\x01Ns" * 90_000
    + b".",
    "tuples as keys": b"(" + b"K\x01" * 400_000 + b"tq\x010}" + b"h\x01Ns" * 90_000 + b".",
    "a long module": TEXT
    + b"fairseq."
    + b"a." * ((1 << 19) - 4)
    + b"q\x01("
    + b"h\x01U\x01b\x93" * 90_000
    + b"t.",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_few_bytes_that_ask_for_hours_end_soon(content: bytes) -> None:
    with limit_seconds(30), limit_growth(600 << 20), pytest.raises(PickleError):
        read(content)


def test_what_was_never_kept_is_said_in_words() -> None:
    with pytest.raises(PickleError, match="it recalls number 5, which it never kept"):
        read(b"h\x05.")


def test_a_namespace_is_a_record_of_its_values() -> None:
    found = read(pickle.dumps(Namespace(arch="roberta", lr=[0.1]), 2))
    assert (type(found), found.kind) == (Record, "argparse.Namespace")
    assert found.state == {"arch": "roberta", "lr": [0.1]}


def test_numpys_numbers_and_paths_are_records() -> None:
    value = [np.float64(1.5), np.int64(3), np.arange(3), Path("/data"), np.dtype("int32"), {1, 2}]
    kinds = [one.kind if isinstance(one, Record) else one for one in read(pickle.dumps(value, 2))]
    assert all("numpy" in kind for kind in (*kinds[:3], kinds[4]))
    assert kinds[3].startswith("pathlib")
    assert kinds[5] == [1, 2]


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "attack",
    [
        Calls(os.system, "touch run-by-a-pickle"),
        Calls(eval, "open('run-by-a-pickle', 'w')"),
        Calls(exec, "open('run-by-a-pickle', 'w')"),
        Calls(getattr, "os", "system"),
        Calls(open, "run-by-a-pickle", "w"),
        Namespace(arch=Calls(os.system, "touch run-by-a-pickle")),
    ],
)
def test_an_attack_is_refused_by_name_and_not_run(
    attack: Any, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ForbiddenNameError, match=r"system|eval|exec|getattr|open"):
        read(pickle.dumps(attack, protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("fairseq", "os.system"),
        ("fairseq.os", "system.x"),
        ("fairseqs", "x"),
        ("omegaconf.", "x"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("functools", "partial"),
        ("numpy", "load"),
        ("pathlib", "Path.write_text"),
        ("argparse", "FileType"),
    ],
)
def test_names_near_allowed_ones_are_refused(module: str, name: str) -> None:
    with pytest.raises(ForbiddenNameError):
        read(name_global(module, name) + b".")
    text = b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
    with pytest.raises(ForbiddenNameError):
        read(b"\x80\x04" + text + b"\x93.")


def test_an_allowed_name_is_called_by_nobody() -> None:
    """`fairseq` is no package here: importing it would be an error."""
    found = read(name_global("fairseq.x", "Y") + b"(S'rm'\ntR}S'a'\nI1\nsb.")
    assert (found.kind, found.arguments, found.state) == ("fairseq.x.Y", ("rm",), {"a": 1})


STORAGE = b"((S'storage'\n" + name_global("torch", "FloatStorage") + b"S'0'\nS'cpu'\nI%d\ntQ"


def make_tensor(count: int, shape: bytes, strides: bytes, offset: int = 0) -> bytes:
    storage = STORAGE % count
    return (
        name_global("torch._utils", "_rebuild_tensor_v2")
        + storage
        + b"I%d\n" % offset
        + shape
        + strides
        + b"tR."
    )


@pytest.mark.parametrize(
    ("count", "shape", "strides", "offset"),
    [
        (4, b"(I1000000000000\nt", b"(I0\nt", 0),
        (4, b"(I2\nI3\nt", b"(I3\nI1\nt", 0),
        (4, b"(I4\nt", b"(I1\nt", 1),
        (4, b"(I-4\nt", b"(I1\nt", 0),
        (4, b"(I4\nt", b"(I-1\nt", 3),
        (4, b"(I4\nt", b"t", 0),
        (2**60, b"(I4\nt", b"(I1\nt", 0),
        (4, b"(" + b"I1\n" * 100 + b"t", b"(" + b"I1\n" * 100 + b"t", 0),
        (4, b"(L" + b"9" * 400 + b"L\nt", b"(I1\nt", 0),
    ],
)
def test_tensors_that_do_not_fit_are_refused(count: int, shape: bytes, strides: bytes, offset: int) -> None:
    with pytest.raises(PickleError):
        read(make_tensor(count, shape, strides, offset))


BOMBS = {
    "a text of 2 GiB": b"X" + struct.pack("<I", 2**31 - 1) + b"a",
    "a number of 2 GiB": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"a",
    "a text of 2**62 bytes": b"\x8d" + struct.pack("<Q", 2**62) + b"a",
    "bytes of any size": name_global("builtins", "bytearray") + b"(I1000000000000\ntR.",
    "copies of a list": b"]q\x00("
    + b"I1\n" * 300_000
    + b"e"
    + (name_global("builtins", "list") + b"(h\x00tR0") * 9999,
    "texts as bytes": b"V"
    + b"a" * 4000
    + b"\nq\x000"
    + (name_global("_codecs", "encode") + b"(h\x00tR0") * 99_999,
    "states again": name_global("fairseq", "X")
    + b")\x81}q\x00("
    + b"I1\nI2\nS'a'\nN" * 9
    + b"u"
    + b"h\x00b" * 100_000,
    "lists in lists": b"(" * 200_000 + b"l" * 200_000 + b".",
    "more steps": b"]0" * 1_100_000,
    "a key deep down": b"}" + b")" + b"\x85" * 500_000 + b"I1\ns.",
    "no end of a line": b"c" + b"a" * 10_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_asks_for_too_much_ends(name: str) -> None:
    """In time and in memory; some are read, as what they are: small."""
    with limit_seconds(30), limit_growth(1 << 30), suppress(PickleError):
        read(BOMBS[name])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"0.",
        b"(.",
        b"h\x00.",
        b"N",
        b"]I1\nb.",
        b"I1\nI2\nR.",
        b"}I1\nu.",
        b"\xff.",
        b"Pos\n.",
        b"N}s.",
    ],
)
def test_damage_is_told(content: bytes) -> None:
    with pytest.raises(PickleError):
        read(content)


def test_a_whole_file_cut_anywhere_is_refused() -> None:
    whole = pickle.dumps({"args": Namespace(a=1), "model": OrderedDict(a=[1, 2])}, 2)
    for end in range(len(whole)):
        with pytest.raises(PickleError):
            read(whole[:end])
