"""fairseq's dictionary: rows are lines behind four special symbols, whatever their counts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from headstart.data.fairseq.dictionary import read_dictionary, write_dictionary
from headstart.errors import DataError


def _write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "dict.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_are_lines_behind_the_specials_and_the_mask_comes_last(tmp_path: Path) -> None:
    dictionary = read_dictionary(_write(tmp_path, "b 1\na 7\n▁c d 2\nmadeupword0000 0\n"))
    assert dictionary.symbols == (
        *("<s>", "<pad>", "</s>", "<unk>"),
        *("b", "a", "▁c d", "madeupword0000", "<mask>"),
    )
    assert (dictionary.bos, dictionary.pad, dictionary.eos, dictionary.unk, dictionary.mask) == (
        0,
        1,
        2,
        3,
        8,
    )
    assert dictionary.words == ("b", "a", "▁c d")
    assert dictionary.find("a") == 5
    assert dictionary.find("absent") == 3


def test_a_mask_among_the_lines_is_not_added_again(tmp_path: Path) -> None:
    dictionary = read_dictionary(_write(tmp_path, "<mask> 1\na 1\n"))
    assert (dictionary.mask, len(dictionary)) == (4, 6)
    assert read_dictionary(_write(tmp_path, "a 1\n"), with_mask=False).mask is None


def test_overwritten_rows_stay_and_the_later_line_counts(tmp_path: Path) -> None:
    flag = "999 #fairseq:overwrite"
    dictionary = read_dictionary(_write(tmp_path, f"<unk> {flag}\n<s> {flag}\n</s> {flag}\n, 5\n"))
    # As transformers has CamemBERT: 5 and 6 begin and end a text, and 3 is what is not known.
    assert (dictionary.bos, dictionary.pad, dictionary.eos, dictionary.unk) == (5, 1, 6, 3)
    assert dictionary.find(",") == 7
    assert dictionary.find("absent") == 3


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a 1\nb\n", "dict.txt:2", "without a count: 'b'"),
        ("a 1\n\nb 1\n", "dict.txt:2", "without a count: ''"),
        ("a one\n", "dict.txt:1", "without a count"),
        ("a 1\nb 2\na 3\n", "dict.txt:3", "the symbol 'a' a second time"),
        ("<s> 3\n", "dict.txt:1", "the symbol '<s>' a second time"),
        ("a #fairseq:overwrite\n", "dict.txt:1", "without a count"),
    ],
)
def test_lines_that_fairseq_refuses_are_named(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(DataError) as caught:
        read_dictionary(_write(tmp_path, text))
    assert str(caught.value.where).endswith(where)
    assert what in caught.value.got


def test_other_encodings_and_absent_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_dictionary(_write(tmp_path, "a 1\né 1\n".encode("latin-1")))
    assert "dict.txt:2" in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read_dictionary(tmp_path / "absent.txt")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    flag = "999 #fairseq:overwrite"
    for text in ("b 1\na 7\n", f"<s> {flag}\nx 1\nx 1 #fairseq:overwrite\n", "<mask> 0\na 1\n"):
        dictionary = read_dictionary(_write(tmp_path, text))
        write_dictionary(dictionary, tmp_path / "again.txt")
        assert read_dictionary(tmp_path / "again.txt") == dictionary
    write_dictionary(dictionary, tmp_path / "again.txt", {5: 9})
    assert (tmp_path / "again.txt").read_text() == "<mask> 0\na 9\n"
