"""Energy by the counters of this machine: processor packages as RAPL tells, and a GPU; estimates nothing.

RAPL is Intel's Running Average Power Limit (Intel SDM, volume 3B, 15.10), which AMD has too. Linux shows its
counters in `/sys/class/powercap`, for root alone by default, and not in most virtual machines.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

#: Where Linux shows the counters.
POWERCAP: Final = Path("/sys/class/powercap")
#: Packages are numbered once; what has two numbers is a part of one.
_ZONE: Final = re.compile(r"intel-rapl:\d+")
#: Between readings: a counter that begins anew every 65 kJ at the least does so once at most, below 1 kW.
_SECONDS: Final = 60.0
#: A counter that only grows, in joules; None where it tells nothing.
ReadJoules = Callable[[], float | None]


@dataclass(frozen=True)
class Package:
    """A processor package: its counter in microjoules, which begins anew beyond `largest`."""

    file: Path
    largest: int

    def read(self) -> int | None:
        """The counter; None where this user may not read it, or it is no number."""
        return _read_count(self.file)


def find_packages(root: Path | None = None) -> tuple[Package, ...]:
    """All processor packages of the machine; none where any of them tells nothing: a part is no answer."""
    zones = sorted(
        zone
        for zone in (root or POWERCAP).glob("intel-rapl:*")
        if _ZONE.fullmatch(zone.name) and _read_name(zone).startswith("package")
    )
    found = [Package(zone / "energy_uj", _read_count(zone / "max_energy_range_uj") or 0) for zone in zones]
    return tuple(found) if all(one.largest and one.read() is not None for one in found) else ()


def _read_name(zone: Path) -> str:
    try:
        return (zone / "name").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _read_count(file: Path) -> int | None:
    try:
        count = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return count if count >= 0 else None


class _PackageSum:
    """What one package used since this began, over every new beginning of its counter."""

    def __init__(self, package: Package) -> None:
        self._package, self._last, self._sum = package, package.read(), 0

    def read(self) -> float | None:
        """Joules; None from the first reading on that failed."""
        now, before = self._package.read(), self._last
        self._last = now if before is not None else None
        if now is None or before is None:
            return None
        self._sum += now - before if now >= before else now + self._package.largest - before
        return self._sum / 1e6


class EnergyMeter:
    """What the machine's processors and a GPU used since this was entered, whoever made them work.

    Args:
        packages: their counters are read every minute too, since they begin anew.
        read_gpu: the GPU's counter.
    """

    def __init__(self, packages: Sequence[Package], read_gpu: ReadJoules = lambda: None) -> None:
        self._packages, self._read_gpu = packages, read_gpu
        self._sums: list[_PackageSum] = []
        self._gpu_at_start: float | None = None
        self._lock, self._ended = threading.Lock(), threading.Event()

    def __enter__(self) -> EnergyMeter:
        self._sums = [_PackageSum(package) for package in self._packages]
        self._gpu_at_start = self._read_gpu()
        if self._sums:
            threading.Thread(target=self._follow, name="energy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def _follow(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.read_processor()

    def read_processor(self) -> float | None:
        """Joules of all packages; None where one tells nothing."""
        with self._lock:
            joules = [one.read() for one in self._sums]
        known = [one for one in joules if one is not None]
        return sum(known) if known and len(known) == len(joules) else None

    def read_gpu(self) -> float | None:
        """Joules of the GPU; None where it tells nothing, or began anew, as with a driver loaded again."""
        before, now = self._gpu_at_start, self._read_gpu()
        return None if before is None or now is None or now < before else now - before
