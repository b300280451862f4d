"""Looks at a node with nothing but the standard library: Headstart itself may not be installed there."""

from __future__ import annotations


def look_at_node(file: str, token: str) -> dict[str, str | bool]:
    """The node's versions, its name, and whether the file is there and holds the token.

    It is sent whole to the node, with what else is here, and so imports what it needs itself.
    """
    import platform
    import socket
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | bool] = {"python": platform.python_version(), "host": socket.gethostname()}
    for package in ("headstart", "torch", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    found["sees"] = holds_word(file, token)
    return found


def holds_word(file: str, word: str) -> bool:
    """Whether the file is there, and holds the word."""
    from pathlib import Path

    try:
        return Path(file).read_text(encoding="ascii") == word
    except (OSError, ValueError):
        return False
