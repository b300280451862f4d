"""Opens a study, once: its folder is checked, its data and checkpoints prepared, and its records read."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from headstart.config.runs import Run, expand_runs
from headstart.config.study import Study
from headstart.device import list_gpus
from headstart.events import Log, ignore_log
from headstart.planning.cluster_placement import TrainingCluster
from headstart.planning.parallel import count_ranks
from headstart.planning.process_memory import measure_process_bytes
from headstart.planning.tuning import find_needed_runs, list_runs_to_come
from headstart.prepared import PreparedStudy
from headstart.records import Gpu, RunRecord, StoppingRule
from headstart.stages import tell_stage
from headstart.store.fences import Fence
from headstart.store.predictions import PredictionReader
from headstart.store.provenance import read_git_commit
from headstart.store.runs import RunStore
from headstart.store.states import describe_damaged_state
from headstart.store.verify import DamagedRun, describe_damage, list_done
from headstart.trackers.registry import check_trackers
from headstart.training.prepare import keep_precision, prepare_study
from headstart.wording import Caution


@dataclass(frozen=True)
class OpenStudy:
    """A study that can be planned and run, and run on with more seeds, without reading anything again.

    `records` are those of runs that are done, by run; of runs that end now those are added, failed ones too.
    `damaged` are runs in the folder whose files are not what they left: they are set aside, and redone.
    `read_predictions` reads each file once. `process_bytes` is what a process holds before it has a model.
    `gpus` are those that train, none on a CPU, as they were before the study had processes there. `rule` is
    the one by which seeds are added, if they are.
    `cluster` is what trains, where this machine does not.
    `log` is told what goes on; `began` is when it was opened, or got its seeds, by `time.monotonic`.
    """

    study: Study
    store: RunStore
    prepared: PreparedStudy
    records: dict[str, RunRecord]
    damaged: tuple[DamagedRun, ...]
    read_predictions: PredictionReader
    process_bytes: int
    gpus: tuple[Gpu, ...]
    rule: StoppingRule | None
    log: Log
    began: float
    cluster: TrainingCluster | None = None

    @property
    def runs(self) -> tuple[Run, ...]:
        """All that are known to be needed: more are when tuning has ended."""
        return find_needed_runs(self.study, self.records.values())

    @property
    def to_come(self) -> tuple[Run, ...]:
        """Those whose grid point tuning has yet to choose, each at another one in its place."""
        return list_runs_to_come(self.study, self.records.values())

    @property
    def done(self) -> dict[str, RunRecord]:
        """The records of the runs in the folder that are done."""
        return {key: record for key, record in self.records.items() if record.status == "done"}

    @property
    def missing(self) -> tuple[Run, ...]:
        """The runs to be trained now: not done before, nor tried since the study was opened."""
        return tuple(run for run in self.runs if run.key not in self.records)

    def on_cluster(self, cluster: TrainingCluster) -> OpenStudy:
        """The same, to be trained there."""
        prepared = replace(self.prepared, precision=cluster.precision)
        prepared = keep_precision(prepared, self.done.values(), cluster.supports_bf16)
        return replace(self, prepared=prepared, gpus=cluster.gpus, cluster=cluster)

    def with_seeds(self, seeds: tuple[int, ...]) -> OpenStudy:
        """The same with other seeds: nothing that was prepared depends on them."""
        study = self.study.model_copy(update={"seeds": seeds})
        prepared = replace(self.prepared, study=study)
        return replace(self, study=study, prepared=prepared, damaged=(), began=time.monotonic())


def open_study(
    study: Study, log: Log = ignore_log, rule: StoppingRule | None = None, fence: Fence | None = None
) -> OpenStudy:
    """Check a study and its folder, prepare its data and checkpoints, read its records; writes nothing.

    Args:
        rule: by which its seeds are added; else the one that the folder holds, if any.
        fence: of one who has the folder to itself and will write there.

    Raises:
        HeadstartError: whatever would keep the study from being run.
    """
    began, store = time.monotonic(), RunStore(Path(study.out), fence)
    study = store.with_added_seeds(study)
    runs = expand_runs(study)
    store.check_same_study(study)
    count_ranks(study)  # what cannot be is said before anything is prepared
    check_trackers(study)
    reader = PredictionReader(store.get_run_folder)
    if store.runs_folder.is_dir():
        tell_stage(f"checking the runs in {store.out}")
    found = store.check_runs(study, reader)
    # Those that failed are tried again, as are those that are damaged: what they were decides nothing.
    done = list(list_done(found).values())
    damaged = tuple(one for one in found if isinstance(one, DamagedRun))
    for one in damaged:
        log(Caution(describe_damage(one)))
    for run in runs:
        if sentence := describe_damaged_state(store, run.key):
            log(Caution(sentence))
    process_bytes = measure_process_bytes(runs)
    prepared = prepare_study(study, runs, commit=read_git_commit(Path.cwd()), log=log)
    store.check_sources(done, prepared.corpus.digest, prepared.sources)
    return OpenStudy(
        study=study,
        store=store,
        prepared=keep_precision(prepared, done),
        records={record.key: record for record in done},
        damaged=damaged,
        read_predictions=reader,
        process_bytes=process_bytes,
        gpus=list_gpus(study.device),
        rule=rule or store.read_stopping_rule(),
        log=log,
        began=began,
    )
