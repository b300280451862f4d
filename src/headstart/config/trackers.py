"""The study file's `trackers`: which services show each run's curves, and the settings of each."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator

from headstart.config.section import Section
from headstart.shown import load_object

_Text = Annotated[str, Field(min_length=1)]
#: Names of settings, and of a URI's parameters, that hold what nobody else may know.
_SECRET: Final = re.compile(r"(?i)(.*[_-])?(api[_-]?key|key|token|password|passwd|secret|credentials?)")


class NoSettings(Section):
    """Of a tracker that has none."""


class MlflowSettings(Section):
    """Where MLflow keeps runs."""

    tracking_uri: _Text | None = Field(
        default=None,
        description="MLFLOW_TRACKING_URI where that is set, else mlflow.db in the study's folder.",
    )
    experiment: _Text | None = Field(default=None, description="Default: headstart.")

    @field_validator("tracking_uri")
    @classmethod
    def _check_uri(cls, value: str | None) -> str | None:
        if value is not None and _has_secret(value):
            raise ValueError(
                "a password or token in the URI; leave it out, and set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or the whole URI as MLFLOW_TRACKING_URI"
            )
        return value


class WandbSettings(Section):
    """Where Weights & Biases keeps runs."""

    project: _Text = Field(default="headstart", description="Project of the runs.")
    entity: _Text | None = Field(default=None, description="User or team; default: your own.")
    mode: Literal["offline", "online"] = Field(
        default="offline", description="offline: files in the study's folder, for `wandb sync`."
    )


class TrackioSettings(Section):
    """Where trackio keeps runs."""

    project: _Text = Field(default="headstart", description="Project of the runs.")
    dir: _Text | None = Field(
        default=None, description="Folder of its database; default: TRACKIO_DIR, else trackio's own."
    )


@dataclass(frozen=True)
class TrackerTraits:
    """What is known of a tracker before its library is imported.

    Attributes:
        implementation: `module:name` of its class, imported when the first run begins.
        settings: the keys that it takes in a study file.
        library: the package that it needs, as it is imported; None where it needs none of its own.
        extra: the extra of ours that installs it.
    """

    name: str
    implementation: str
    settings: type[Section] = NoSettings
    library: str | None = None
    extra: str | None = None


TRACKERS: Final[dict[str, TrackerTraits]] = {}


def register_tracker(traits: TrackerTraits) -> None:
    """Make a tracker known by its name, in study files too."""
    TRACKERS[traits.name] = traits


def read_settings(trackers: tuple[str | dict[str, dict[str, Any]], ...]) -> dict[str, Section]:
    """The settings of each tracker of a study, by its name."""
    pairs = (_split(tracker) for tracker in trackers)
    return {name: TRACKERS[name].settings.model_validate(settings) for name, settings in pairs}


def list_trackers(schema: dict[str, Any]) -> None:
    """Name the trackers with their settings in a JSON schema."""
    sections = {name: traits.settings.model_json_schema() for name, traits in TRACKERS.items()}
    of_one = {"type": "object", "properties": sections, "additionalProperties": False, "maxProperties": 1}
    one = {"anyOf": [{"type": "string", "enum": list(TRACKERS)}, of_one]}
    schema.pop("items", None)
    schema.pop("type", None)
    schema["anyOf"] = [{"type": "array", "items": one}, *one["anyOf"]]


def _wrap_single(value: Any) -> Any:
    return (value,) if isinstance(value, str | Mapping) else value


def _split(tracker: Any) -> tuple[str, dict[str, Any]]:
    """Its name and settings."""
    if isinstance(tracker, str):
        return tracker, {}
    ((name, settings),) = tracker.items()
    return name, settings


def _check_shape(value: Any) -> Any:
    """Names, or names with settings: in our words, where pydantic would list what does not fit a union."""
    if not isinstance(value, list | tuple):
        raise ValueError("a list of trackers expected, such as [tensorboard, mlflow]; [] for none")
    return tuple(map(_read_one, value))


def _read_one(value: Any) -> str | dict[str, dict[str, Any]]:
    is_section = isinstance(value, Mapping) and len(value) == 1
    if not isinstance(value, str) and not is_section:
        kind = "several keys in one item" if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(f"a tracker's name, or one name with its settings, expected, got {kind}")
    name, settings = _split(value)
    if name not in TRACKERS:
        raise ValueError(
            f"unknown tracker {name!r}; {_suggest(str(name), list(TRACKERS), 'the trackers are')}"
        )
    if settings is None:
        return str(name)
    if not isinstance(settings, Mapping):
        raise ValueError(f"{name}: a section of keys expected")
    return {name: checked} if (checked := _check_settings(name, dict(settings))) else str(name)


def _suggest(got: str, known: list[str], all_are: str) -> str:
    close = difflib.get_close_matches(got, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"{all_are} {', '.join(known)}"


def _check_settings(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were set, each checked. No value of them is shown: one may be a secret."""
    kind = TRACKERS[name].settings
    for key in settings:
        if key not in kind.model_fields:
            raise ValueError(f"{name}: {_describe_unknown(str(key), list(kind.model_fields))}")
    try:
        return kind.model_validate(settings).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        item = error.errors(include_url=False)[0]
        what = load_object("headstart.config.problems:describe_value")(item)
        raise ValueError(f"{name}.{item['loc'][0]}: {what}") from error


def _describe_unknown(key: str, known: list[str]) -> str:
    if _SECRET.fullmatch(key):
        return f"{key!r} does not belong in a study file; set it in the environment, as the service documents"
    if not known:
        return f"unknown key {key!r}; it takes no settings"
    return f"unknown key {key!r}; {_suggest(key, known, 'the keys here are')}"


def _has_secret(uri: str) -> bool:
    """Whether a URI names a password, or a user whose name may be a token."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "@" in uri
    return "@" in parts.netloc or any(_SECRET.fullmatch(name) for name in parse_qs(parts.query))


def _check_unique(value: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [_split(tracker)[0] for tracker in value]
    if len(set(names)) < len(names):
        raise ValueError(f"each at most once expected, got {names}")
    return value


#: A name, or a name with its settings.
Trackers = Annotated[
    tuple[str | dict[str, dict[str, Any]], ...],
    BeforeValidator(_check_shape),
    BeforeValidator(_wrap_single),
    AfterValidator(_check_unique),
    Field(json_schema_extra=list_trackers),
]

register_tracker(TrackerTraits("tensorboard", "headstart.trackers.tensorboard:TensorBoardTracker"))
register_tracker(
    TrackerTraits("mlflow", "headstart.trackers.mlflow:MlflowTracker", MlflowSettings, "mlflow", "mlflow")
)
register_tracker(
    TrackerTraits("wandb", "headstart.trackers.wandb:WandbTracker", WandbSettings, "wandb", "wandb")
)
register_tracker(
    TrackerTraits(
        "trackio", "headstart.trackers.trackio:TrackioTracker", TrackioSettings, "trackio", "trackio"
    )
)
