"""A study's output folder as one object: its layout, with all that is read from it and written to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.config.load import dump_study
from headstart.config.study import Study
from headstart.errors import DamagedFileError
from headstart.files import write_text
from headstart.records import CheckpointDigest, Look, PlacementRecord, RunRecord, StoppingRule
from headstart.store.ended_packs import read_unsettled, settle_pack, settle_packs, write_pack
from headstart.store.fences import Fence, Fences
from headstart.store.folder_mark import write_mark
from headstart.store.json_files import read_json
from headstart.store.layout import StudyLayout
from headstart.store.leftovers import sweep_study_folder
from headstart.store.looks import log_look, read_looks
from headstart.store.model_cards import MakeCard, rewrite_cards
from headstart.store.models import promote, promote_chosen
from headstart.store.prediction_tables import Predictions
from headstart.store.predictions import read_predictions
from headstart.store.promoted_models import describe_model_faults
from headstart.store.records import (
    clear_run_folder,
    read_placement,
    read_records,
    write_json,
    write_placement,
    write_record,
)
from headstart.store.same_sources import check_sources
from headstart.store.same_study import check_same_study, read_earlier_study
from headstart.store.schema import check_schema
from headstart.store.set_aside import set_run_aside
from headstart.store.stopping_rules import read_stopping_rule, write_stopping_rule
from headstart.store.verify import DamagedRun, ReadPredictions, check_runs, read_verified


@dataclass(frozen=True)
class RunStore(StudyLayout):
    """The folder `<out>` of one study; `fence` says whether this process may write there, if it was asked."""

    fence: Fence | Fences | None = None

    def check_held(self) -> None:
        """See that the folder is still this process's alone, where it was taken.

        Raises:
            LeaseLostError: it is not, and nothing may be written there.
        """
        if self.fence is not None:
            self.fence.check()

    def check_same_study(self, study: Study) -> None:
        """As `same_study.check_same_study`."""
        check_same_study(self, study)

    def check_sources(
        self, done: Iterable[RunRecord], data: str, checkpoints: Sequence[CheckpointDigest]
    ) -> None:
        """As `same_sources.check_sources`."""
        check_sources(done, data, checkpoints, self)

    def open_study(self, study: Study, until: StoppingRule | None = None) -> None:
        """Check the folder, create it where it is new, and write the study into it, and its rule if any.

        A rule stays even if the study is run without it later: the data have already been looked at.

        Raises:
            OutputError: as `check_same_study`, or it cannot be written.
        """
        self.check_same_study(study)
        self.check_held()
        text = dump_study(study)
        write_mark(self, text)
        write_text(self.study_file, text)
        if until is not None:
            write_stopping_rule(self, until)
        settle_packs(self)

    def sweep(self, done: Iterable[str]) -> None:
        """As `leftovers.sweep_study_folder`."""
        self.check_held()
        sweep_study_folder(self, done)

    def read_study(self) -> Study:
        """As `same_study.read_earlier_study`."""
        return read_earlier_study(self)

    def read_seeds(self) -> tuple[int, ...]:
        """The seeds of the study that the folder holds; none where it holds none."""
        return read_earlier_study(self).seeds if self.study_file.is_file() else ()

    def with_added_seeds(self, study: Study) -> Study:
        """The study with the seeds that were added to it here, where a rule added them."""
        if self.read_stopping_rule() is None:
            return study
        return study.model_copy(update={"seeds": tuple(dict.fromkeys((*study.seeds, *self.read_seeds())))})

    def read_label_statistics(self) -> Mapping[str, Any] | None:
        """Of the study's labels, as `plan.json` has them; None where it is gone or cannot be read: no figure
        of an arm depends on it."""
        try:
            statistics = read_json(self.out / "plan.json").get("label_statistics")
        except DamagedFileError:
            return None
        return statistics if isinstance(statistics, dict) else None

    def read_stopping_rule(self) -> StoppingRule | None:
        """As `stopping_rules.read_stopping_rule`."""
        return read_stopping_rule(self)

    def read_looks(self) -> tuple[Look, ...]:
        """As `looks.read_looks`."""
        return read_looks(self)

    def log_look(self, study: Study) -> tuple[Look, ...]:
        """As `looks.log_look`."""
        self.check_held()
        return log_look(self, study)

    def clear_run_folder(self, key: str) -> Path:
        """As `records.clear_run_folder`."""
        self.check_held()
        return clear_run_folder(self, key)

    def write_record(self, record: RunRecord) -> RunRecord:
        """As `records.write_record`."""
        self.check_held()
        return write_record(self, record)

    def read_placement(self) -> PlacementRecord | None:
        """As `records.read_placement`."""
        return read_placement(self)

    def write_placement(self, placement: PlacementRecord) -> None:
        """As `records.write_placement`."""
        self.check_held()
        write_placement(self, placement)

    def write_pack(self, records: Sequence[RunRecord]) -> list[RunRecord]:
        """As `ended_packs.write_pack`."""
        self.check_held()
        return write_pack(self, records)

    def settle_pack(self, keys: Sequence[str]) -> tuple[RunRecord, ...]:
        """As `ended_packs.settle_pack`."""
        self.check_held()
        return settle_pack(self, keys)

    def read_records(self) -> Iterator[RunRecord]:
        """As `records.read_records`, and of packs whose process died after they had ended."""
        keys = set[str]()
        for record in read_records(self):
            keys.add(record.key)
            yield record
        yield from (record for record in read_unsettled(self) if record.key not in keys)

    def read_done_records(self) -> dict[str, RunRecord]:
        """The completed runs by key."""
        return {record.key: record for record in self.read_records() if record.status == "done"}

    def read_verified(self, study: Study, read: ReadPredictions) -> list[RunRecord]:
        """As `verify.read_verified`."""
        check_schema(self.out)
        return list(read_verified(self, study, read))

    def check_runs(self, study: Study, read: ReadPredictions) -> list[RunRecord | DamagedRun]:
        """As `verify.check_runs`, models with them."""
        check_schema(self.out)
        return list(check_runs(self, study, read, models=True))

    def set_run_aside(self, damaged: DamagedRun) -> Path | None:
        """As `set_aside.set_run_aside`."""
        self.check_held()
        return set_run_aside(self, damaged)

    def read_predictions(self, key: str, metric: str) -> Predictions | None:
        """What the model of run `key` predicted of the test examples, as `metric` needs it; None without.

        Raises:
            OutputError: it cannot be read.
        """
        return read_predictions(self.get_run_folder(key), metric)

    def describe_model_faults(self, done: Mapping[str, RunRecord]) -> list[str]:
        """As `promoted_models.describe_model_faults`."""
        return list(describe_model_faults(self, done))

    def promote_model(self, record: RunRecord, study: Study, card: MakeCard) -> bool:
        """As `models.promote`."""
        self.check_held()
        return promote(self, record, study, card)

    def promote_chosen(self, arm: str, record: RunRecord | None, card: MakeCard) -> bool:
        """As `models.promote_chosen`."""
        self.check_held()
        return promote_chosen(self, arm, record, card)

    def rewrite_cards(self, arms: Iterable[str], done: Mapping[str, RunRecord], card: MakeCard) -> None:
        """As `model_cards.rewrite_cards`."""
        self.check_held()
        rewrite_cards(self, arms, done, card)

    def write_json(self, name: str, values: Mapping[str, Any]) -> Path:
        """Write `<out>/<name>` and give its path."""
        self.check_held()
        path = self.out / name
        write_json(path, values)
        return path
