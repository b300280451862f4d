"""Where everything of a study lies in its output folder: paths only, nothing is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyLayout:
    """The paths in the folder `out` of one study.

    A run's `key` is `<arm>/<size>/<seed>`, and in an arm that tries a grid `/<grid point>` behind it.
    """

    out: Path

    @property
    def own_folder(self) -> Path:
        """What Headstart keeps for itself there: the folder's mark, and who uses it."""
        return self.out / ".headstart"

    @property
    def mark_file(self) -> Path:
        """What tells the folder from others'."""
        return self.own_folder / "folder.json"

    @property
    def queue_folder(self) -> Path:
        """What workers on other machines take packs from."""
        return self.own_folder / "queue"

    @property
    def ray_folder(self) -> Path:
        """What tasks of a Ray cluster look for, while a study trains there."""
        return self.own_folder / "ray"

    @property
    def tracking_id_file(self) -> Path:
        """What tells the study from others in services that show runs."""
        return self.own_folder / "tracking-id"

    @property
    def study_file(self) -> Path:
        """The study as it was run, every default filled in."""
        return self.out / "study.yaml"

    @property
    def stopping_rule_file(self) -> Path:
        """The rule by which seeds were added, where they were."""
        return self.out / "until_decided.json"

    @property
    def looks_file(self) -> Path:
        """When results were seen, and of which seeds."""
        return self.out / "looks.json"

    @property
    def placement_file(self) -> Path:
        """Where and how its runs train, and in which packs."""
        return self.out / "placement.json"

    def judging_key_file(self, sheet: str) -> Path:
        """Which answer is whose in a sheet of paired answers."""
        return self.judging_folder / f"{sheet}.json"

    def read_choices_file(self, sheet: str) -> Path:
        """What judges chose in a sheet that was read back."""
        return self.judgements_folder / f"{sheet}.json"

    @property
    def judgements_folder(self) -> Path:
        """What holds the choices of each sheet that was read back."""
        return self.out / "judgements"

    @property
    def judging_folder(self) -> Path:
        """What holds a key for each sheet of paired answers."""
        return self.out / "judging"

    @property
    def adapted_folder(self) -> Path:
        """What was pretrained on the study's own texts: a folder for each seed."""
        return self.out / "adapted"

    @property
    def models_folder(self) -> Path:
        """What holds a model for each arm."""
        return self.out / "models"

    @property
    def set_aside_folder(self) -> Path:
        """What keeps files that were not believed, by run."""
        return self.out / "set-aside"

    @property
    def runs_folder(self) -> Path:
        """What holds a folder for each run."""
        return self.out / "runs"

    def get_run_folder(self, key: str) -> Path:
        """What a run leaves: its record, predictions, and for a while its model and training state."""
        return self.runs_folder / key

    def record_file(self, key: str) -> Path:
        """A run's record, written last: its presence with status `done` means that the run is complete."""
        return self.get_run_folder(key) / "record.json"

    @property
    def ended_folder(self) -> Path:
        """What holds, for a moment, the records of packs that ended, each pack's in one file."""
        return self.out / "ended"

    def get_state_folder(self, key: str) -> Path:
        """Where an unfinished run keeps its training state."""
        return self.get_run_folder(key) / "checkpoint"

    def run_model_folder(self, key: str) -> Path:
        """A run's trained model, until it is its arm's best or removed."""
        return self.get_run_folder(key) / "model"

    def get_curves_folder(self, key: str) -> Path:
        """A run's TensorBoard files."""
        return self.out / "tensorboard" / key

    def get_arm_model_folder(self, arm: str) -> Path:
        """The model of an arm's best run."""
        return self.models_folder / arm
