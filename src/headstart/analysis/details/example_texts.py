"""Texts of test examples by their ids, read again from the data where these are still the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from headstart.config.study import Study
from headstart.data.corpus import Corpus, Text
from headstart.errors import HeadstartError
from headstart.records import RunRecord
from headstart.wording import cut_text

#: Characters of a text that are kept.
MOST_CHARACTERS: Final = 500
#: Between the two texts of a pair.
_BETWEEN: Final = " | "


def read_test_texts(
    study: Study,
    records: Sequence[RunRecord],
    ids: Sequence[int],
    load: Callable[[Study], Corpus],
) -> Mapping[int, str]:
    """The beginnings of the test texts with these ids; none where the data cannot be read any more, or are
    not what the runs were tested on: a report then does without."""
    digests = {record.provenance.data_digest for record in records if record.provenance}
    if not ids or len(digests) != 1:
        return {}
    try:
        corpus = load(study)
    except HeadstartError:
        return {}
    if {corpus.digest} != digests:
        return {}
    test, asked = corpus.parts["test"], set(ids)
    return {id_: _cut(text) for id_, text in zip(test.ids, test.texts, strict=True) if id_ in asked}


def _cut(text: Text) -> str:
    whole = text if isinstance(text, str) else _BETWEEN.join(text)
    return cut_text(whole, MOST_CHARACTERS)
