"""Looks at a node with nothing but the standard library: Headstart itself may not be installed there."""

from __future__ import annotations


def look_at_node(file: str, token: str) -> dict[str, str | bool]:
    """The node's versions, its name, and whether the file is there and holds the token.

    It is sent whole to the node, and so imports what it needs itself.
    """
    import platform
    import socket
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    found: dict[str, str | bool] = {"python": platform.python_version(), "host": socket.gethostname()}
    for package in ("headstart", "torch", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    try:
        found["sees"] = Path(file).read_text(encoding="ascii") == token
    except (OSError, ValueError):
        found["sees"] = False
    return found
