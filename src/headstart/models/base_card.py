"""Reads what a model card states in its first block, of a base its license and language; asks no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from headstart.data.assets import find_model, is_asset
from headstart.files import find_file_fault
from headstart.models.hub import find_cached_folder

_CARD_FILE: Final = "README.md"
#: Bytes of a card that are read: its metadata stand first.
_MOST_BYTES: Final = 64 << 10
#: As in the hub's server: the block between two lines of `---` at the start.
_BLOCK: Final = re.compile(r"\A\s*---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
#: The hub's identifiers of licenses, such as `apache-2.0`, and codes of languages, such as `fr` or `zh-hant`.
_LICENSE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[a-zA-Z0-9]{2,8})?")
_NAME: Final = re.compile(r"[\w .+()-]{1,100}")
_LINK: Final = re.compile(r"https://[\w./%~#?&=+-]{1,300}")


@dataclass(frozen=True)
class BaseCard:
    """What the card states, in the hub's words; None where it states nothing, or it cannot be read.

    `license_name` and `license_link` are of a license `other`. `language` is there where the base has one
    language: of several nobody knows which the model was fine-tuned on.
    """

    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    language: str | None = None


def read_base_card(checkpoint: str) -> BaseCard:
    """The card of a checkpoint, a folder, a hub id or an asset, as far as it lies on this machine.

    Of an asset it is the card of the model, which the package brings along: what a package states of itself
    is of those who packed it.
    """
    folder = _find_folder(checkpoint)
    values = (read_card_metadata(folder / _CARD_FILE) if folder is not None else None) or {}
    found = _match(_LICENSE, values.get("license"))
    is_other = found == "other"
    return BaseCard(
        license=found,
        license_name=_match(_NAME, values.get("license_name")) if is_other else None,
        license_link=_match(_LINK, values.get("license_link")) if is_other else None,
        language=_match(_LANGUAGE, _take_only(values.get("language"))),
    )


def _find_folder(checkpoint: str) -> Path | None:
    if is_asset(checkpoint):
        return find_model(checkpoint)
    if Path(checkpoint).is_dir():
        return Path(checkpoint)
    return find_cached_folder(checkpoint.partition("@")[0])


def read_card_metadata(file: Path) -> Mapping[str, Any] | None:
    """The block at the start of a model card; None where there is none, or it cannot be read."""
    if find_file_fault(file) is not None:
        return None
    try:
        with file.open("rb") as stream:
            found = _BLOCK.match(stream.read(_MOST_BYTES).decode("utf-8", errors="replace"))
        values = YAML(typ="safe", pure=True).load(found[1]) if found else None
    except (OSError, ValueError, YAMLError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _take_only(value: object) -> object:
    """The one of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _match(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
