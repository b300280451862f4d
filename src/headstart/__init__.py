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
    from headstart.commands.compare import compare_studies as compare_studies
    from headstart.commands.power import power_assumed as power_assumed
    from headstart.commands.power import power_measured as power_measured
    from headstart.config.load import load_study as load_study
    from headstart.config.study import Study as Study
    from headstart.deciding import run_until as run_until
    from headstart.engine.stack import Stack as Stack
    from headstart.engine.stack import stack as stack
    from headstart.engine.stack import unstack as unstack
    from headstart.errors import HeadstartError as HeadstartError
    from headstart.experiment import Plan as Plan
    from headstart.experiment import Results as Results
    from headstart.experiment import plan as plan
    from headstart.experiment import run as run
    from headstart.exporting import export as export
    from headstart.generation import generate as generate
    from headstart.prediction import predict as predict
    from headstart.sizing import explain_lora as explain_lora
    from headstart.sizing import params as params

_HOME = {
    "Comparison": "headstart.analysis.comparison",
    "HeadstartError": "headstart.errors",
    "Plan": "headstart.experiment",
    "Results": "headstart.experiment",
    "Stack": "headstart.engine.stack",
    "Study": "headstart.config.study",
    "compare": "headstart.commands.compare",
    "compare_studies": "headstart.commands.compare",
    "explain_lora": "headstart.sizing",
    "export": "headstart.exporting",
    "generate": "headstart.generation",
    "load_study": "headstart.config.load",
    "params": "headstart.sizing",
    "plan": "headstart.experiment",
    "power_assumed": "headstart.commands.power",
    "power_measured": "headstart.commands.power",
    "predict": "headstart.prediction",
    "run": "headstart.experiment",
    "run_until": "headstart.deciding",
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
    "compare_studies",
    "explain_lora",
    "export",
    "generate",
    "load_study",
    "params",
    "plan",
    "power_assumed",
    "power_measured",
    "predict",
    "run",
    "run_until",
    "stack",
    "unstack",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
