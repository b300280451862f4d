"""What stands of packs in a queue: runs, order and deadlines; and which workers have of an earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from headstart.config.runs import Pack, Run, find_run
from headstart.config.study import Study
from headstart.errors import HeadstartError
from headstart.events import Log
from headstart.records.queue import LONGEST_SECONDS, QueuedPack, QueuedRun, identify_pack
from headstart.store.queue_files import QueueFiles
from headstart.wording import format_count

#: A pack is past its deadline after so many times what it was to take at most, and no sooner than this.
_MANY_TIMES: Final = 5.0
_LEAST_SECONDS: Final = 600.0


def sort_packs(packs: Sequence[Pack]) -> list[Pack]:
    """The longest first, by what is expected; others as they are, behind them."""
    return sorted(packs, key=lambda pack: -_expect_seconds(pack))


def describe_pack(pack: Pack) -> QueuedPack:
    """The pack as it stands in a list."""
    return QueuedPack(
        id=identify_pack(run.key for run in pack.runs),
        runs=tuple(map(describe_run, pack.runs)),
        deadline=min(LONGEST_SECONDS, max(_LEAST_SECONDS, _MANY_TIMES * _expect_seconds(pack))),
        estimate=pack.estimate,
    )


def describe_run(run: Run) -> QueuedRun:
    """The run by what another process finds it by, in its own reading of the study."""
    point = dict(run.grid_point)
    return QueuedRun(arm=run.arm, size=run.size, seed=run.seed, point=point, for_tuning=run.for_tuning)


def find_queued_run(study: Study, queued: QueuedRun) -> Run | None:
    """The run that was so described; None where the study has no such run."""
    point = tuple(queued.point.items())
    return find_run(study, queued.arm, queued.size, queued.seed, point, for_tuning=queued.for_tuning)


def _expect_seconds(pack: Pack) -> float:
    expected = pack.estimate.seconds if pack.estimate else None
    return expected.high if expected else 0.0


def adopt_packs(packs: Sequence[Pack], files: QueueFiles, log: Log) -> list[Pack]:
    """The packs to publish: those that workers have in hand from an earlier queue stay as they are.

    What they have in hand that is not wanted any more is taken from them.
    """
    wanted = {run.key: run for pack in packs for run in pack.runs}
    planned = {identify_pack(run.key for run in pack.runs) for pack in packs}
    in_hand = {name for name in files.list_taken() if _is_held(files, name)}
    adopted: list[Pack] = []
    for queued in _read_earlier(files):
        if queued.id not in in_hand - planned:
            continue
        runs = [wanted.get(run.key) for run in queued.runs]
        if all(runs) and not any(run in part.runs for part in adopted for run in runs):
            adopted.append(Pack(tuple(run for run in runs if run is not None), queued.estimate))
    others = _leave_out(packs, {run.key for pack in adopted for run in pack.runs})
    published = [*adopted, *others]
    kept = {identify_pack(run.key for run in pack.runs) for pack in published}
    for name in files.list_taken() - kept:
        files.remove_leases(name)
    if count := len(in_hand & kept):
        log(f"workers go on with {format_count(count, 'pack')} of an earlier call")
    return published


def _is_held(files: QueueFiles, name: str) -> bool:
    entries = files.list_leases(name)
    return bool(entries) and not entries[-1].is_free and not files.is_marked(name, "ended")


def _read_earlier(files: QueueFiles) -> Iterator[QueuedPack]:
    """The packs of the queue that is there; none where it cannot be read: its packs are planned anew."""
    try:
        manifest = files.read_manifest()
        for number in range(1, (manifest.lists if manifest else 0) + 1):
            yield from files.read_list(number).packs
    except HeadstartError:
        return


def _leave_out(packs: Sequence[Pack], keys: set[str]) -> Iterator[Pack]:
    for pack in packs:
        left: tuple[Run, ...] = tuple(run for run in pack.runs if run.key not in keys)
        if left:
            yield pack if len(left) == len(pack.runs) else replace(pack, runs=left)
