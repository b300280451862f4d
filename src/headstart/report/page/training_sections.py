"""Sections of what training did and took: curves, parameters, cost."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.analysis.details.costs import ArmCosts, Costs
from headstart.analysis.details.model_parts import ModelParts
from headstart.models.accounting.breakdown import PartCount
from headstart.records import format_duration
from headstart.report.page.blocks import Block, PageTable, Section, Sentences
from headstart.report.page.material import PageMaterial
from headstart.report.params import PLACES
from headstart.report.units import format_bytes, format_energy, format_run_time
from headstart.store.adapted import tell_adapting
from headstart.wording import capitalise, format_count, join_names

_NONE = "-"


def list_training_sections(material: PageMaterial) -> Iterator[Section]:
    """Curves by epoch and step, and how large the models are."""
    yield Section("curves", "Curves", tuple(material.list_figures("curves", "loss")))
    yield Section("parameters", "Parameters", tuple(_list_parameters(material)))


def list_cost_sections(material: PageMaterial) -> Iterator[Section]:
    """What the runs took."""
    yield Section("cost", "Cost", tuple(_list_costs(material)))


def _list_parameters(material: PageMaterial) -> Iterator[Block]:
    by_arm = {row.arm: row for row in material.details.costs.arms if row.parameters is not None}
    if by_arm:
        rows = [["arm", "parameters", "trainable", "trainable, %"], *map(_format_parameters, by_arm.values())]
        caption = "Parameters of one model of each arm, and those that training changes."
        yield PageTable("parameters", caption, rows, arms=material.arms)
    for number, parts in enumerate(material.details.model_parts, 1):
        yield _make_parts_table(parts, f"parts-{number}")


def _make_parts_table(model: ModelParts, name: str) -> PageTable:
    """Each part by its formula, as `headstart params` has it, and what of it trains beside a frozen base."""
    breakdown = model.breakdown
    head = ["place", "part", "formula", "times", "parameters", *["trainable"] * bool(model.trained)]
    rows = [_format_part(part) for part in breakdown.parts]
    if model.trained:
        rows = [[*row, f"{trained:,}"] for row, trained in zip(rows, model.trained, strict=True)]
    legend = ", ".join(f"{symbol} {value:,} {meaning}" for symbol, value, meaning in breakdown.legend)
    return PageTable(name, _tell_parts(model), [head, *rows], 2, note=f"{legend}.", is_folded=True)


def _format_part(part: PartCount) -> list[str]:
    formula = part.formula or "= token embedding"
    return [PLACES[part.place], part.part, formula, str(part.times), f"{part.value:,}"]


def _tell_parts(model: ModelParts) -> str:
    total = f"{model.breakdown.total:,} = {model.breakdown.as_sum}"
    told = f"Parameters of {join_names(model.arms)} by part: {total}."
    if not model.trained:
        return told
    share = 100 * model.trainable / model.breakdown.total
    return f"{told} {model.trainable:,} are trainable ({share:.2f}%); the rest is frozen."


def _format_parameters(row: ArmCosts) -> list[str]:
    share = (
        f"{100 * row.trainable / row.parameters:.2f}"
        if row.parameters and row.trainable is not None
        else _NONE
    )
    return [row.arm, _format_count(row.parameters), _format_count(row.trainable), share]


def _format_count(count: int | None) -> str:
    return _NONE if count is None else f"{count:,}"


def _list_costs(material: PageMaterial) -> Iterator[Block]:
    costs = material.details.costs
    if not costs.arms:
        return
    n_runs = sum(row.n_runs + row.n_tuning_runs for row in costs.arms)
    where = f" on {join_names(costs.devices)}" if costs.devices else ""
    took = f"{format_count(n_runs, 'run')} took {format_duration(costs.total_seconds)}{where}."
    adapting = tell_adapting(costs.adapting)
    more = (f"{capitalise(adapting)}.",) if adapting else ()
    yield Sentences((took, *more, *_tell_energy(costs)))
    yield from material.list_figures("cost")
    yield _make_cost_table(material)


def _tell_energy(costs: Costs) -> Iterator[str]:
    if costs.joules is not None:
        of = join_names([f"the {name}" for name in costs.metered])
        yield f"Energy of {of}, by the machine's own counters: {format_energy(costs.joules)}."


def _make_cost_table(material: PageMaterial) -> PageTable:
    costs = material.details.costs
    has_tuning = any(row.n_tuning_runs for row in costs.arms)
    has_gpu = any(row.device_memory_bytes for row in costs.arms)
    has_energy = any(row.joules is not None for row in costs.arms)
    head = ["arm", "runs", "time per run", "time in all"]
    head += ["tuning runs", "time for tuning"] * has_tuning + ["memory"] + ["GPU memory"] * has_gpu
    head += ["energy in all"] * has_energy
    has = {"has_tuning": has_tuning, "has_gpu": has_gpu, "has_energy": has_energy}
    rows = ((_format_cost(row, **has), row.size) for row in costs.arms)
    caption = "What runs took: the mean time of a run that is evaluated, and the most memory of a process."
    return material.make_table("cost", caption, head, rows)


def _format_cost(row: ArmCosts, *, has_tuning: bool, has_gpu: bool, has_energy: bool) -> list[str]:
    tuning = [str(row.n_tuning_runs), format_run_time(row.tuning_seconds)] * has_tuning
    times = [format_run_time(row.seconds), format_run_time(row.total_seconds)]
    gpu = [_format_memory(row.device_memory_bytes)] * has_gpu
    energy = [_format_joules(row.joules)] * has_energy
    return [row.arm, str(row.n_runs), *times, *tuning, _format_memory(row.memory_bytes), *gpu, *energy]


def _format_joules(joules: float | None) -> str:
    return _NONE if joules is None else format_energy(joules)


def _format_memory(count: int | None) -> str:
    return format_bytes(count) if count else _NONE
