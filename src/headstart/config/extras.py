"""Which extras of Headstart a study needs."""

from __future__ import annotations

from headstart.config.study import Study
from headstart.config.trackers import TRACKERS, read_settings
from headstart.config.traits import get_method_traits


def list_extras(study: Study) -> tuple[str, ...]:
    """Those of its data, methods and trackers, each once, by the alphabet."""
    named = [get_method_traits(arm.method).extra for arm in study.arms.values()]
    named += [TRACKERS[name].extra for name in read_settings(study.trackers)]
    named += ["hub"] if study.data.hub else []
    return tuple(sorted({extra for extra in named if extra}))
