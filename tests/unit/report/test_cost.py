"""What a study costs, as a terminal shows it."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from fake_gpus import make_gpus
from headstart.planning.cost import AdaptingCost, DiskCost, GroupCost, MeasuredSteps, StudyCost
from headstart.planning.placement import Placement
from headstart.records import Parameters, Range
from headstart.report.cost import describe_cost, render_cost_table

GIB = 2**30
MEMORY = Range(low=1.0 * GIB, high=1.5 * GIB)
COST = StudyCost(
    parameters={"a": Parameters(total=22_807_552, trainable=1_000), "words": None},
    groups=(GroupCost(("a/all/0", "a/all/1"), None, 1, MEMORY), GroupCost(("words/all/0",), "why", 1, None)),
    free_memory=7 * GIB,
    disk=DiskCost(200 << 20, 0, 50 * GIB),
)


def rows(cost: StudyCost) -> list[str]:
    console = Console(file=(stream := StringIO()), width=120)
    console.print(render_cost_table(["a", "words", "done"], cost))
    lines = (" ".join(line.split()) for line in stream.getvalue().splitlines())
    return [line for line in lines if line and not set(line) <= set("─╶╴ ━")]


def test_a_row_tells_parameters_and_memory_of_an_arm() -> None:
    assert rows(COST) == [
        "arm parameters trainable memory, expected measured",
        "a 22,807,552 1,000 1.0 to 1.5 GiB -",
        "words - - - -",
        "done - - - -",
    ]


def test_packs_and_what_was_measured_are_shown() -> None:
    group = replace(COST.groups[0], pack=2, measured=MeasuredSteps(int(1.2 * GIB), 0.1, 2))
    assert rows(replace(COST, groups=(group,)))[1] == (
        "a 22,807,552 1,000 1.0 to 1.5 GiB, 2 together 1.2 GiB, 2 together"
    )


def test_without_steps_the_time_is_not_known() -> None:
    assert list(describe_cost(COST)) == [
        "memory: 7.0 GiB free",
        "disk: 200.0 MiB for the results; 50.00 GiB free",
        "time: not estimated; add --probe",
    ]


def test_with_steps_it_is_and_so_is_the_placement() -> None:
    cost = replace(
        COST,
        disk=replace(COST.disk, state_bytes=90 << 20),
        placement=Placement(2, 1, "asked for", 4),
        seconds=Range(low=60, high=6000),
    )
    assert list(describe_cost(cost))[2:] == [
        "  plus up to 90.0 MiB per unfinished run",
        "time: 60 s to 1 h 40 min",
        "  2 at a time, at most 4 runs together (asked for)",
    ]


def test_where_only_the_placement_is_known_no_time_is_said() -> None:
    cost = replace(COST, placement=Placement(0, 0, "asked for"))
    assert list(describe_cost(cost))[2:] == ["  1 at a time (asked for)"]


# GPUs

ON_GPU = replace(
    COST,
    groups=(replace(COST.groups[0], memory_bytes=None, device_memory_bytes=MEMORY, pack=2), COST.groups[1]),
    gpus=make_gpus(free=60),
)


def test_on_a_gpu_the_table_is_of_its_memory() -> None:
    measured = MeasuredSteps(5 * GIB, 0.1, 2, int(1.2 * GIB))
    group = replace(ON_GPU.groups[0], measured=measured)
    assert rows(replace(ON_GPU, groups=(group,)))[:2] == [
        "arm parameters trainable GPU memory, expected measured",
        "a 22,807,552 1,000 1.0 to 1.5 GiB, 2 together 1.2 GiB, 2 together",
    ]


def test_what_is_needed_of_a_gpu_includes_cudas_own_part() -> None:
    assert list(describe_cost(ON_GPU))[:2] == [
        "memory: 7.0 GiB free",
        "GPU memory: needs 1.5 to 2.0 GiB of 60.0 free on Fake 80",
    ]


def test_of_several_gpus_the_fullest_counts() -> None:
    gpus = (*make_gpus(3), *make_gpus(free=20))
    unknown = replace(ON_GPU, groups=COST.groups, gpus=gpus)
    assert list(describe_cost(unknown))[1] == "GPU memory: 20.0 GiB free on 4 x Fake 80"


def test_the_time_of_all_includes_what_is_adapted() -> None:
    adapting = AdaptingCost(2, 100, 1_000, GIB, can_time=True)
    cost = replace(
        COST, placement=Placement(2, 1, "two cores"), seconds=Range(low=60, high=120), adapting=adapting
    )
    assert "time: 60 s to 2 min, without adapting" in list(describe_cost(cost))
    timed = list(describe_cost(replace(cost, adapting=replace(adapting, seconds=Range(low=60, high=240)))))
    assert "  60 s to 4 min, before the runs" in timed
    assert "time: 2 min to 6 min, adapting included" in timed
