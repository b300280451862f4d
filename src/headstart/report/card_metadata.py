"""The block at the top of a model card: what the hub reads of a model, with its test figures."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headstart.config.arm_settings import get_checkpoint, is_whole_checkpoint, takes_weights
from headstart.config.study import Study
from headstart.config.traits import Artifact, get_method_traits, get_task_traits
from headstart.data.assets import is_asset
from headstart.data.controls import is_hidden
from headstart.models.base_card import BaseCard
from headstart.records import RunRecord

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

#: A hub id, and what its name pins.
_HUB_ID: Final = re.compile(r"(\w[\w.-]*(?:/\w[\w.-]*)?)(?:@[\w./-]+)?")
#: What `evaluate` and the hub call metrics that have another name here, and their arguments.
_HUB_METRICS: Final[dict[str, tuple[str, dict[str, str] | None]]] = {
    "macro_f1": ("f1", {"average": "macro"}),
    "micro_f1": ("f1", {"average": "micro"}),
    "pearson": ("pearsonr", None),
    "spearman": ("spearmanr", None),
}
#: What loads a folder; of a probe and a bag of words it is Headstart, which the hub does not know.
_LIBRARIES: Final[dict[Artifact, str]] = {"model": "transformers", "adapter": "peft"}
_RELATIONS: Final[dict[Artifact, str]] = {"model": "finetune", "adapter": "adapter", "probe": "adapter"}
#: The type of a data set that is on no hub.
_LOCAL: Final = "local"


def find_artifact(record: RunRecord, study: Study) -> Artifact:
    """What the folder holds: of an adapter over random weights, whose base is nowhere else, a whole model."""
    arm = study.arms[record.arm]
    artifact = get_method_traits(arm.method).artifact
    return "model" if artifact == "adapter" and not is_whole_checkpoint(arm.init) else artifact


def name_data(study: Study) -> str:
    """What others are told of the data: a hub id or an asset; of files the name, not where they lie."""
    data = study.data
    if named := data.asset or (data.hub if data.hub and _read_hub_id(data.hub) else None):
        return named
    return Path(data.test or data.path or data.train or data.hub or data.fairseq or "").name or "data"


def format_metadata(record: RunRecord, study: Study, base: BaseCard) -> str:
    """The block as YAML that ends with a line end, without the lines of `---`.

    What cannot be seen, such as marks of direction, stands there as YAML's escapes.
    """
    # Here, so that planning a study does not wait for it.
    from huggingface_hub import ModelCardData
    from huggingface_hub.utils import yaml_dump

    values = ModelCardData(**_list_values(record, study, base)).to_dict()
    text = str(yaml_dump(values, sort_keys=False))
    if any(is_hidden(character) for character in text if character not in "\n\t"):
        text = str(yaml_dump(values, sort_keys=False, allow_unicode=False))
    return text


def _list_values(record: RunRecord, study: Study, base: BaseCard) -> dict[str, Any]:
    arm, artifact = study.arms[record.arm], find_artifact(record, study)
    base_model = _find_base_id(record, study)
    results = list(_list_results(record, study))
    data = _read_hub_id(study.data.hub) if study.data.hub else None
    return {
        "language": base.language,
        "license": base.license,
        "license_name": base.license_name,
        "license_link": base.license_link,
        "library_name": _LIBRARIES.get(artifact),
        "pipeline_tag": get_task_traits(study.task).pipeline,
        "tags": ["headstart", arm.method],
        "base_model": base_model,
        "base_model_relation": _RELATIONS.get(artifact) if base_model else None,
        "datasets": [data] if data else None,
        "metrics": list(dict.fromkeys(result.metric_type for result in results)) or None,
        "model_name": record.arm if results else None,
        "eval_results": results or None,
    }


def _find_base_id(record: RunRecord, study: Study) -> str | None:
    """The hub id of the checkpoint whose weights the arm started from; None of a folder or an asset."""
    arm = study.arms[record.arm]
    if (
        not takes_weights(arm.init)
        or not get_method_traits(arm.method).has_checkpoint
        or record.provenance is None
    ):
        return None
    # Of a folder the digests of its files are noted.
    is_folder = bool(record.provenance.checkpoint_files)
    return None if is_folder else _read_hub_id(get_checkpoint(study, arm))


def _read_hub_id(name: str) -> str | None:
    """The id without what it pins; None where it is a folder's name, or an asset's."""
    found = _HUB_ID.fullmatch(name)
    return found[1] if found and not is_asset(name) and not Path(name).exists() else None


def _list_results(record: RunRecord, study: Study) -> list[EvalResult]:
    """The run's test metrics, shares as numbers up to 1; those that are no numbers are left out."""
    from huggingface_hub import EvalResult

    pipeline, data = get_task_traits(study.task).pipeline, study.data
    hub_id = _read_hub_id(data.hub) if data.hub else None
    results = []
    for name, value in (record.test or {}).items():
        if not math.isfinite(value):
            continue
        known, arguments = _HUB_METRICS.get(name, (name, None))
        result = EvalResult(
            task_type=pipeline,
            task_name=pipeline.replace("-", " ").capitalize(),
            dataset_type=hub_id or _LOCAL,
            dataset_name=name_data(study),
            dataset_config=data.subset if hub_id else None,
            dataset_split="test",
            dataset_revision=data.revision if hub_id else None,
            metric_type=known,
            metric_name=name,
            metric_value=value,
            metric_args=arguments,
        )
        results.append(result)
    return results
