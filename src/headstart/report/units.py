"""How times of runs, and amounts of memory, disk and energy, are written."""

from __future__ import annotations

from headstart.records import format_duration


def format_bytes(count: float) -> str:
    """A number of bytes for people: `87.0 MiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def format_run_time(seconds: float) -> str:
    """As `format_duration`, below ten seconds with a tenth: `2.4 s`."""
    return f"{seconds:.1f} s" if seconds < 10 else format_duration(seconds)


def format_energy(joules: float) -> str:
    """Energy in watt-hours, of 3,600 joules each: `1.5 Wh`, `0.042 Wh`, `2.31 kWh`."""
    hours = joules / 3600
    if hours >= 1000:
        return f"{hours / 1000:.2f} kWh"
    return f"{hours:.0f} Wh" if hours >= 100 else f"{hours:.2g} Wh"
