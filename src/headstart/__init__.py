"""Headstart fine-tunes text models with the control arm included.

    import headstart

    study = headstart.load_study("study.yaml", ["seeds=5"])
    results = headstart.run(study)
    results.findings.summary

Names are loaded when they are first used, so that `import headstart` costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.analysis.comparison import Comparison as Comparison
    from headstart.commands.compare import compare as compare
    from headstart.commands.compare import compare_items as compare_items
    from headstart.commands.compare import compare_studies as compare_studies
    from headstart.commands.explain import explain_lora as explain_lora
    from headstart.commands.export import export as export
    from headstart.commands.generate import generate as generate
    from headstart.commands.init import init as init
    from headstart.commands.judge import judge_pairs as judge_pairs
    from headstart.commands.judge import judge_read as judge_read
    from headstart.commands.params import params as params
    from headstart.commands.plan import plan as plan
    from headstart.commands.power import power_assumed as power_assumed
    from headstart.commands.power import power_measured as power_measured
    from headstart.commands.predict import predict as predict
    from headstart.commands.predict_texts import predict_texts as predict_texts
    from headstart.commands.run import run as run
    from headstart.commands.schema import schema as schema
    from headstart.commands.until import run_until as run_until
    from headstart.config.load import load_study as load_study
    from headstart.config.study import Study as Study
    from headstart.engine.stack import Stack as Stack
    from headstart.engine.stack import stack as stack
    from headstart.engine.stack import unstack as unstack
    from headstart.errors import HeadstartError as HeadstartError
    from headstart.experiment import Results as Results
    from headstart.planning.plan import Plan as Plan

_HOME = {
    "Comparison": "headstart.analysis.comparison",
    "HeadstartError": "headstart.errors",
    "Plan": "headstart.planning.plan",
    "Results": "headstart.experiment",
    "Stack": "headstart.engine.stack",
    "Study": "headstart.config.study",
    "compare": "headstart.commands.compare",
    "compare_items": "headstart.commands.compare",
    "compare_studies": "headstart.commands.compare",
    "explain_lora": "headstart.commands.explain",
    "export": "headstart.commands.export",
    "generate": "headstart.commands.generate",
    "init": "headstart.commands.init",
    "judge_pairs": "headstart.commands.judge",
    "judge_read": "headstart.commands.judge",
    "load_study": "headstart.config.load",
    "params": "headstart.commands.params",
    "plan": "headstart.commands.plan",
    "power_assumed": "headstart.commands.power",
    "power_measured": "headstart.commands.power",
    "predict": "headstart.commands.predict",
    "predict_texts": "headstart.commands.predict_texts",
    "run": "headstart.commands.run",
    "run_until": "headstart.commands.until",
    "schema": "headstart.commands.schema",
    "stack": "headstart.engine.stack",
    "unstack": "headstart.engine.stack",
}
__all__ = [
    "Comparison",
    "HeadstartError",
    "Plan",
    "Results",
    "Stack",
    "Study",
    "compare",
    "compare_items",
    "compare_studies",
    "explain_lora",
    "export",
    "generate",
    "init",
    "judge_pairs",
    "judge_read",
    "load_study",
    "params",
    "plan",
    "power_assumed",
    "power_measured",
    "predict",
    "predict_texts",
    "run",
    "run_until",
    "schema",
    "stack",
    "unstack",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
