"""fairseq checkpoints that were edited, cut or made up: imported, or refused in one message, unrun."""

from __future__ import annotations

import io
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_networks import make_settings, make_state, write_folder
from fuzzing import is_unlimited, own_folder, run_to_end
from headstart import import_fairseq
from headstart.models.fairseq.archive import open_checkpoint_file
from headstart.models.fairseq.pickle_limits import PickleError
from headstart.models.fairseq.unpickle import read_pickle
from odd_values import mutated_bytes, values

#: Operations of pickles, each followed by what a strategy draws.
CODES = tuple(one.code.encode("latin-1") for one in pickletools.opcodes)
NAMES = tuple(vars(make_settings()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of each kind of file."""
    said = make_settings()
    folder = tmp_path_factory.mktemp("fairseq")
    for name, old in (("new.pt", False), ("old.pt", True)):
        write_folder(folder, said, make_state(said, {"sst": 2}), name=name, old=old)
    return folder


def import_bytes(content: bytes, whole: Path) -> None:
    with own_folder() as folder:
        file = folder / "model.pt"
        file.write_bytes(content)
        run_to_end(import_fairseq, file, folder / "out", data=whole, tokenizer="none", folder=folder)


@settings(max_examples=300 if is_unlimited() else 25, deadline=None)
@given(data=st.data(), name=st.sampled_from(("new.pt", "old.pt")))
def test_damaged_files(whole: Path, data: st.DataObject, name: str) -> None:
    import_bytes(data.draw(mutated_bytes((whole / name).read_bytes())), whole)


def replace_pickle(file: Path, content: bytes) -> bytes:
    """A whole archive with another pickle in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name.endswith("data.pkl") else old.read(name))
    return buffer.getvalue()


@settings(max_examples=300 if is_unlimited() else 25, deadline=None)
@given(data=st.data())
def test_damaged_pickles_in_whole_archives(whole: Path, data: st.DataObject) -> None:
    with zipfile.ZipFile(whole / "new.pt") as archive:
        pickle = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))
    import_bytes(replace_pickle(whole / "new.pt", data.draw(mutated_bytes(pickle))), whole)


@settings(max_examples=2000 if is_unlimited() else 150, deadline=None)
@given(parts=st.lists(st.tuples(st.sampled_from(CODES), st.binary(max_size=6)), max_size=30))
def test_pickles_of_any_operations(parts: list[tuple[bytes, bytes]]) -> None:
    content = b"".join(code + argument for code, argument in parts) + b"."
    try:
        read_pickle(io.BytesIO(content))
    except PickleError as error:
        assert len(str(error)) <= 300  # noqa: PT017


@settings(max_examples=200 if is_unlimited() else 15, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(NAMES), values(), min_size=1, max_size=3))
def test_odd_settings(whole: Path, changes: dict[str, Any]) -> None:
    said = make_settings()
    vars(said).update(changes)
    with own_folder() as folder:
        try:
            write_folder(folder / "ck", said, make_state(make_settings()))
        except (UnicodeEncodeError, TypeError):  # pickle itself writes no such
            return
        run_to_end(import_fairseq, folder / "ck", folder / "out", tokenizer="none", folder=folder)
        with open_checkpoint_file(folder / "ck" / "model.pt") as opened:
            assert "args" in opened.content
