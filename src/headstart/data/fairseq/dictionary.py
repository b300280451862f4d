"""Reads and writes a fairseq dictionary, `dict.txt`: symbols whose places are rows of an embedding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from headstart.data.lines import read_raw_lines, require_existing_file
from headstart.errors import DataError
from headstart.files import write_text

BOS: Final = "<s>"
PAD: Final = "<pad>"
EOS: Final = "</s>"
UNK: Final = "<unk>"
MASK: Final = "<mask>"
#: What fairseq puts before the lines of every dictionary, in its order.
SPECIALS: Final = (BOS, PAD, EOS, UNK)
#: The flag of a line whose symbol takes the place of an earlier one, as in CamemBERT's dictionary.
_OVERWRITE: Final = "#fairseq:overwrite"
#: Lines that fairseq adds until the length is a multiple of 8.
_PADDING: Final = re.compile(r"madeupword\d{4,}")
_MULTIPLE: Final = 8
_EXPECTED: Final = "SYMBOL COUNT on each line, as fairseq-preprocess writes it"


@dataclass(frozen=True)
class Dictionary:
    """The symbols of a dictionary by their ids, with the ids that fairseq gives its special symbols.

    A symbol that a later line overwrites keeps its row in `symbols`, which nothing points to any more; `bos`
    and `eos` are then those of the later lines, as fairseq encodes `<s>` and `</s>`. `pad` and `unk` stay.
    """

    symbols: tuple[str, ...]
    bos: int
    pad: int
    eos: int
    unk: int
    mask: int | None

    def __len__(self) -> int:
        """Rows of the embedding."""
        return len(self.symbols)

    @cached_property
    def indices(self) -> Mapping[str, int]:
        """The id of each symbol; of one that stands there twice, the later one."""
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    def find(self, symbol: str) -> int:
        """The id of a symbol, which is that of `<unk>` where no line has it."""
        return self.indices.get(symbol, self.unk)

    @property
    def words(self) -> tuple[str, ...]:
        """The symbols of the lines, without special ones and padding; of a label dictionary, its labels."""
        lines = self.symbols[len(SPECIALS) :]
        return tuple(s for s in lines if s != MASK and not is_padding(s))


def is_padding(symbol: str) -> bool:
    """Whether fairseq made a symbol up, to round the length of a dictionary."""
    return _PADDING.fullmatch(symbol) is not None


def make_padding(number: int) -> str:
    """The symbol that fairseq makes up, by its number."""
    return f"madeupword{number:04d}"


def make_label_dictionary(names: Iterable[str]) -> Dictionary:
    """The dictionary of labels, class k in line k, padded as fairseq pads it; checks no name."""
    symbols = [*SPECIALS, *names]
    return make_dictionary([*symbols, *map(make_padding, range(-len(symbols) % _MULTIPLE))])


def read_dictionary(path: Path, *, with_mask: bool = True) -> Dictionary:
    """The dictionary of a `dict.txt`, with `<mask>` behind its lines as fairseq's RoBERTa tasks put it.

    Order is that of the lines: their counts are not looked at.

    Raises:
        DataError: there is no such file, it is not UTF-8, a line has no count, or a symbol is there twice.
    """
    symbols = list(SPECIALS)
    known = set(symbols)
    for number, line in enumerate(_read_lines(path), start=1):
        symbol, overwrites = _read_symbol(line, f"{path}:{number}")
        if symbol in known and not overwrites:
            raise _refuse_twice(symbol, f"{path}:{number}")
        symbols.append(symbol)
        known.add(symbol)
    if with_mask and MASK not in known:
        symbols.append(MASK)
    return make_dictionary(symbols)


def make_dictionary(symbols: Iterable[str]) -> Dictionary:
    """The dictionary of `symbols`, whose first four are fairseq's special ones."""
    rows = tuple(symbols)
    last = {symbol: i for i, symbol in enumerate(rows)}
    return Dictionary(
        rows, bos=last[BOS], pad=rows.index(PAD), eos=last[EOS], unk=rows.index(UNK), mask=last.get(MASK)
    )


def _read_lines(path: Path) -> Iterable[str]:
    require_existing_file(path, "fairseq's dictionary, dict.txt")
    return read_raw_lines(path)


def _read_symbol(line: str, where: str) -> tuple[str, bool]:
    """The symbol of a line, and whether it may overwrite an earlier one."""
    head, _, count = line.rstrip().rpartition(" ")
    overwrites = count == _OVERWRITE
    if overwrites:
        head, _, count = head.rpartition(" ")
    if not head or not re.fullmatch(r"[+-]?\d+", count):
        raise DataError(f"a line without a count: {line.rstrip()[:80]!r}", where=where, expected=_EXPECTED)
    return head, overwrites


def _refuse_twice(symbol: str, where: str) -> DataError:
    return DataError(
        f"the symbol {symbol!r} a second time",
        where=where,
        expected=f"each symbol once, and fairseq's own {', '.join(SPECIALS)} not at all",
        fix=f"remove the line; or, if it is meant to overwrite the earlier one, end it with {_OVERWRITE}",
    )


def write_dictionary(dictionary: Dictionary, path: Path, counts: Mapping[int, int] | None = None) -> None:
    """Write the lines behind the special symbols, `<mask>` left out; `counts` are by id, 0 where absent."""
    # A mask that stands between the lines has to keep its row: fairseq adds it only where there is none.
    end = len(dictionary) - 1 if dictionary.mask == len(dictionary) - 1 else len(dictionary)
    known = set(SPECIALS)
    lines = []
    for i, symbol in enumerate(dictionary.symbols[len(SPECIALS) : end], start=len(SPECIALS)):
        flag = f" {_OVERWRITE}" if symbol in known else ""
        known.add(symbol)
        lines.append(f"{symbol} {(counts or {}).get(i, 0)}{flag}\n")
    write_text(path, "".join(lines))
