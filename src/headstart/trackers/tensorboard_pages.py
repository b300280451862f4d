"""What fills TensorBoard's pages HPARAMS and CUSTOM SCALARS: messages of its plugins, without torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar.metadata import CONFIG_SUMMARY_TAG
from tensorboard.plugins.custom_scalar.metadata import create_summary_metadata as describe_layout
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.summary_v2 import hparams_pb

from headstart.trackers.run_settings import Setting

_PARTS: Final = ("valid", "test")


def make_session_start(key: str, settings: dict[str, Setting]) -> Summary:
    """A row of the page HPARAMS: one run with its settings."""
    started: Summary = hparams_pb(settings, trial_id=key)
    return started


def make_session_end(*, is_done: bool, seconds: float) -> Summary:
    """How the row's run ended, at `seconds` since 1970."""
    status = api_pb2.STATUS_SUCCESS if is_done else api_pb2.STATUS_FAILURE
    ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=seconds)
    return _make_hparams(
        metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=ended)
    )


def make_columns(settings: Iterable[dict[str, Setting]], metric: str) -> Summary:
    """The columns of the page HPARAMS: the settings of all runs, and valid and test at the best epoch."""
    kinds = {name: type(value) for one in settings for name, value in one.items()}
    experiment = api_pb2.Experiment(
        hparam_infos=[api_pb2.HParamInfo(name=name, type=_name_kind(kind)) for name, kind in kinds.items()],
        metric_infos=[_make_metric(part, metric) for part in _PARTS],
    )
    return _make_hparams(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment))


def make_layout(metrics: Iterable[str], metric: str) -> Summary:
    """The page CUSTOM SCALARS: each figure as one chart, with a line for every run of every arm."""
    others = [f"{part}/{name}" for name in metrics if name != metric for part in _PARTS]
    of_metric = [tag for part in _PARTS for tag in (f"best/{part}_{metric}", f"{part}/{metric}")]
    categories = [
        _make_category(metric, of_metric),
        _make_category("training", ["train/loss", "train/lr"]),
        _make_category("other metrics", others, closed=True),
    ]
    layout = layout_pb2.Layout(category=[category for category in categories if category.chart])
    return Summary(value=[make_text_value(CONFIG_SUMMARY_TAG, layout.SerializeToString(), describe_layout())])


def make_text_value(
    tag: str, text: bytes, described: SummaryMetadata, *, size: int | None = None
) -> Summary.Value:
    """A string, or with a size a list of one."""
    shape = TensorShapeProto(dim=[] if size is None else [TensorShapeProto.Dim(size=size)])
    tensor = TensorProto(dtype="DT_STRING", string_val=[text], tensor_shape=shape)
    return Summary.Value(tag=tag, metadata=described, tensor=tensor)


def _make_category(title: str, tags: Iterable[str], *, closed: bool = False) -> layout_pb2.Category:
    charts = [
        layout_pb2.Chart(title=tag, multiline=layout_pb2.MultilineChartContent(tag=[f"^{tag}$"]))
        for tag in tags
    ]
    return layout_pb2.Category(title=title, chart=charts, closed=closed)


def _make_metric(part: str, metric: str) -> api_pb2.MetricInfo:
    name = api_pb2.MetricName(tag=f"best/{part}_{metric}")
    return api_pb2.MetricInfo(name=name, display_name=f"{part} {metric} at the best epoch")


def _name_kind(kind: type) -> int:
    if kind is bool:
        return int(api_pb2.DATA_TYPE_BOOL)
    return int(api_pb2.DATA_TYPE_FLOAT64 if kind in (int, float) else api_pb2.DATA_TYPE_STRING)


def _make_hparams(tag: str, data: plugin_data_pb2.HParamsPluginData) -> Summary:
    described = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)])
