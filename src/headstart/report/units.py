"""How amounts of memory and disk are written."""

from __future__ import annotations


def format_bytes(count: float) -> str:
    """A number of bytes for people: `87.0 MiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"
