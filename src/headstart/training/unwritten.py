"""Says in which row of a study's data a text stands that no template writes, or that is too long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headstart.config.study import Study
from headstart.data.corpus import Text
from headstart.data.long_texts import TextTooLongError
from headstart.data.prompts import UnwrittenConversationError
from headstart.data.sources import read_parts
from headstart.errors import DataError


@contextmanager
def naming_rows(study: Study) -> Iterator[None]:
    """Within it an error of a conversation tells its row.

    Raises:
        DataError: in place of `UnwrittenConversationError` and `TextTooLongError`.
    """
    try:
        yield
    except UnwrittenConversationError as error:
        place = _find_row(error.text, study)
        raise DataError(
            f"{error.where}: {error.got}",
            where=place,
            expected=error.expected or "a conversation that the chat template accepts",
            fix=error.fix or "change or remove the row, or name another template: prompts.template=human",
        ) from error
    except TextTooLongError as error:
        place = _find_row(error.text, study)
        raise DataError(error.got, where=place, expected=error.expected, fix=error.fix) from error


def _find_row(text: Text, study: Study) -> str | None:
    """The file and line of the first row with that text: places are not kept while all is well."""
    tables = (read.rows for read in read_parts(study.data, study.task).values())
    found = ((rows, i) for rows in tables for i, other in enumerate(rows.texts) if other == text)
    return next((rows.places[i] for rows, i in found), None)
