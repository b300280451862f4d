"""Energy is what counters say, over their new beginnings, and nothing where one of them says nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headstart import energy
from headstart.energy import EnergyMeter, find_packages


def write_zone(root: Path, zone: str, name: str, microjoules: int, largest: int = 1_000_000) -> Path:
    folder = root / zone
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{largest}\n")
    counter = folder / "energy_uj"
    counter.write_text(f"{microjoules}\n")
    return counter


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    first = write_zone(tmp_path, "intel-rapl:0", "package-0", 100_000)
    second = write_zone(tmp_path, "intel-rapl:1", "package-1", 0)
    core = write_zone(tmp_path, "intel-rapl:0:0", "core", 0)
    platform = write_zone(tmp_path, "intel-rapl:2", "psys", 0)
    same = write_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0)
    with EnergyMeter(find_packages(tmp_path)) as meter:
        for counter, value in ((first, 350_000), (second, 50_000), (core, 9), (platform, 9), (same, 9)):
            counter.write_text(str(value))
        assert meter.read_processor() == pytest.approx(0.3)
    assert meter.read_gpu() is None


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    counter = write_zone(tmp_path, "intel-rapl:0", "package-0", 900_000, largest=1_000_000)
    with EnergyMeter(find_packages(tmp_path)) as meter:
        for value in (200_000, 800_000, 100_000):  # 0.3 J, 0.6 J, 0.3 J
            counter.write_text(str(value))
            joules = meter.read_processor()
    assert joules == pytest.approx(1.2)


def test_a_long_run_is_read_often_enough_to_see_each_new_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    packages = find_packages(tmp_path)
    values: Iterator[int] = iter([0, 600_000, 200_000, 800_000])
    seen = []

    def read(self: energy.Package) -> int:
        seen.append(next(values, 800_000))
        return seen[-1]

    monkeypatch.setattr(energy.Package, "read", read)
    monkeypatch.setattr(energy, "_SECONDS", 0.001)
    with EnergyMeter(packages) as meter:
        for _ in range(5000):  # nobody asks: its own thread does
            if len(seen) >= 4:
                break
            time.sleep(0.001)
        assert meter.read_processor() == pytest.approx(1.8)


@pytest.mark.parametrize("broken", ["missing", "no number", "negative"])
def test_one_package_that_cannot_be_read_leaves_none(tmp_path: Path, broken: str) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    counter = write_zone(tmp_path, "intel-rapl:1", "package-1", 0)
    counter.unlink() if broken == "missing" else counter.write_text({"negative": "-4"}.get(broken, broken))
    assert find_packages(tmp_path) == ()
    with EnergyMeter(find_packages(tmp_path)) as meter:
        assert meter.read_processor() is None


def test_a_package_that_falls_silent_makes_the_whole_unknown(tmp_path: Path) -> None:
    counter = write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    with EnergyMeter(find_packages(tmp_path)) as meter:
        counter.unlink()
        assert meter.read_processor() is None
        counter.write_text("5")
        assert meter.read_processor() is None  # what was used meanwhile is not known


def test_a_machine_without_counters_tells_nothing(tmp_path: Path) -> None:
    assert find_packages(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("readings", "joules"), [((10.0, 14.5), 4.5), ((10.0, 2.0), None), ((None, 2.0), None)]
)
def test_a_gpu_tells_what_it_used_since(readings: tuple[float | None, ...], joules: float | None) -> None:
    told = iter(readings)
    with EnergyMeter((), lambda: next(told)) as meter:
        assert meter.read_gpu() == joules
