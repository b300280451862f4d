"""Looks at a node with nothing but the standard library: Headstart itself may not be installed there."""

from __future__ import annotations


def look_at_node(file: str, word: str, packages: tuple[str, ...]) -> dict[str, str | bool]:
    """The node's versions of the packages, its name, and whether the file is there and holds the word.

    It is sent whole to the node, with what else is here, and so imports what it needs itself.
    """
    import socket
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | bool] = {"host": socket.gethostname()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    found["sees"] = holds_word(file, word)
    return found


def holds_word(file: str, word: str) -> bool:
    """Whether the file is there, and holds the word."""
    from pathlib import Path

    try:
        return Path(file).read_text(encoding="ascii") == word
    except (OSError, ValueError):
        return False
