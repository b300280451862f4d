"""fairseq's dictionary, under the name that the import of checkpoints uses; the code reads data as well."""

from __future__ import annotations

from headstart.data.fairseq.dictionary import Dictionary, read_dictionary

__all__ = ["Dictionary", "read_dictionary"]
