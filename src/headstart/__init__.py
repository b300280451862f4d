"""Headstart fine-tunes text models with the control arm included.

    import headstart

    results = headstart.run(headstart.load_study("study.yaml", ["seeds=5"]))
    print(results)                               # the closing table, as the command line shows it
    results = headstart.load("runs/study")       # later, without data, model or torch
    results.frame()                              # a row for each run, as a pandas data frame
    print(results.compare(margin=1.0))

Names are loaded when they are first used, so that `import headstart` costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.analysis.answer_pairs import JudgingSheet as JudgingSheet
    from headstart.analysis.comparison import Comparison as Comparison
    from headstart.analysis.judgements import Judgements as Judgements
    from headstart.analysis.power import Leaderboard as Leaderboard
    from headstart.analysis.power import PowerAnalysis as PowerAnalysis
    from headstart.analysis.replay import Replay as Replay
    from headstart.analysis.results import Results as Results
    from headstart.commands.compare import compare as compare
    from headstart.commands.compare_items import compare_items as compare_items
    from headstart.commands.compare_studies import compare_studies as compare_studies
    from headstart.commands.explain import explain_lora as explain_lora
    from headstart.commands.export import ExportedModel as ExportedModel
    from headstart.commands.export import export as export
    from headstart.commands.export_fairseq import export_fairseq as export_fairseq
    from headstart.commands.export_fairseq_data import ExportedData as ExportedData
    from headstart.commands.export_fairseq_data import export_fairseq_data as export_fairseq_data
    from headstart.commands.generate import generate as generate
    from headstart.commands.generate import generate_file as generate_file
    from headstart.commands.import_ import import_fairseq as import_fairseq
    from headstart.commands.init import init as init
    from headstart.commands.judge import judge_pairs as judge_pairs
    from headstart.commands.judge import judge_read as judge_read
    from headstart.commands.load import load as load
    from headstart.commands.params import params as params
    from headstart.commands.plan import plan as plan
    from headstart.commands.power import power_assumed as power_assumed
    from headstart.commands.power import power_measured as power_measured
    from headstart.commands.power import read_leaderboard as read_leaderboard
    from headstart.commands.predict import predict as predict
    from headstart.commands.predict_texts import TextPredictions as TextPredictions
    from headstart.commands.predict_texts import predict_texts as predict_texts
    from headstart.commands.pretrain import pretrain as pretrain
    from headstart.commands.push import push as push
    from headstart.commands.replay import replay as replay
    from headstart.commands.report import write_report as write_report
    from headstart.commands.run import run as run
    from headstart.commands.schema import schema as schema
    from headstart.commands.until import run_until as run_until
    from headstart.commands.watch import watch as watch
    from headstart.commands.work import work as work
    from headstart.config.arm_section import Lora as Lora
    from headstart.config.load import load_study as load_study
    from headstart.config.load_pretraining import load_pretraining as load_pretraining
    from headstart.config.pretraining import Pretraining as Pretraining
    from headstart.config.study import Study as Study
    from headstart.engine.generate import Answer as Answer
    from headstart.engine.generate import GenerationConfig as GenerationConfig
    from headstart.engine.stack import stack as stack
    from headstart.engine.stack import unstack as unstack
    from headstart.engine.stacked_model import Stack as Stack
    from headstart.errors import HeadstartError as HeadstartError
    from headstart.loopback import LoopbackServer as LoopbackServer
    from headstart.models.accounting.sizes import LoraExplanation as LoraExplanation
    from headstart.models.accounting.sizes import ModelSize as ModelSize
    from headstart.models.fairseq.exported import ExportedCheckpoint as ExportedCheckpoint
    from headstart.models.fairseq.imported import ImportedModel as ImportedModel
    from headstart.models.pretrained_model import PretrainedModel as PretrainedModel
    from headstart.models.pushed_model import PushedModel as PushedModel
    from headstart.planning.plan import Plan as Plan
    from headstart.report.page.written import WrittenReport as WrittenReport
    from headstart.report.progress import StudyProgress as StudyProgress
    from headstart.report.study_file import StudyDraft as StudyDraft
    from headstart.store.work_done import Work as Work

    __version__: str

_HOME = {
    "Answer": "headstart.engine.generate",
    "Comparison": "headstart.analysis.comparison",
    "ExportedCheckpoint": "headstart.models.fairseq.exported",
    "ExportedData": "headstart.commands.export_fairseq_data",
    "ExportedModel": "headstart.commands.export",
    "GenerationConfig": "headstart.engine.generate",
    "HeadstartError": "headstart.errors",
    "ImportedModel": "headstart.models.fairseq.imported",
    "Judgements": "headstart.analysis.judgements",
    "JudgingSheet": "headstart.analysis.answer_pairs",
    "Leaderboard": "headstart.analysis.power",
    "LoopbackServer": "headstart.loopback",
    "Lora": "headstart.config.arm_section",
    "LoraExplanation": "headstart.models.accounting.sizes",
    "ModelSize": "headstart.models.accounting.sizes",
    "Plan": "headstart.planning.plan",
    "PowerAnalysis": "headstart.analysis.power",
    "PretrainedModel": "headstart.models.pretrained_model",
    "Pretraining": "headstart.config.pretraining",
    "PushedModel": "headstart.models.pushed_model",
    "Replay": "headstart.analysis.replay",
    "Results": "headstart.analysis.results",
    "Stack": "headstart.engine.stacked_model",
    "Study": "headstart.config.study",
    "StudyDraft": "headstart.report.study_file",
    "StudyProgress": "headstart.report.progress",
    "TextPredictions": "headstart.commands.predict_texts",
    "Work": "headstart.store.work_done",
    "WrittenReport": "headstart.report.page.written",
    "compare": "headstart.commands.compare",
    "compare_items": "headstart.commands.compare_items",
    "compare_studies": "headstart.commands.compare_studies",
    "explain_lora": "headstart.commands.explain",
    "export": "headstart.commands.export",
    "export_fairseq": "headstart.commands.export_fairseq",
    "export_fairseq_data": "headstart.commands.export_fairseq_data",
    "generate": "headstart.commands.generate",
    "generate_file": "headstart.commands.generate",
    "import_fairseq": "headstart.commands.import_",
    "init": "headstart.commands.init",
    "judge_pairs": "headstart.commands.judge",
    "judge_read": "headstart.commands.judge",
    "load": "headstart.commands.load",
    "load_pretraining": "headstart.config.load_pretraining",
    "load_study": "headstart.config.load",
    "params": "headstart.commands.params",
    "plan": "headstart.commands.plan",
    "power_assumed": "headstart.commands.power",
    "power_measured": "headstart.commands.power",
    "predict": "headstart.commands.predict",
    "predict_texts": "headstart.commands.predict_texts",
    "pretrain": "headstart.commands.pretrain",
    "push": "headstart.commands.push",
    "read_leaderboard": "headstart.commands.power",
    "replay": "headstart.commands.replay",
    "run": "headstart.commands.run",
    "run_until": "headstart.commands.until",
    "schema": "headstart.commands.schema",
    "stack": "headstart.engine.stack",
    "unstack": "headstart.engine.stack",
    "watch": "headstart.commands.watch",
    "work": "headstart.commands.work",
    "write_report": "headstart.commands.report",
}
__all__ = [
    "Answer",
    "Comparison",
    "ExportedCheckpoint",
    "ExportedData",
    "ExportedModel",
    "GenerationConfig",
    "HeadstartError",
    "ImportedModel",
    "Judgements",
    "JudgingSheet",
    "Leaderboard",
    "LoopbackServer",
    "Lora",
    "LoraExplanation",
    "ModelSize",
    "Plan",
    "PowerAnalysis",
    "PretrainedModel",
    "Pretraining",
    "PushedModel",
    "Replay",
    "Results",
    "Stack",
    "Study",
    "StudyDraft",
    "StudyProgress",
    "TextPredictions",
    "Work",
    "WrittenReport",
    "compare",
    "compare_items",
    "compare_studies",
    "explain_lora",
    "export",
    "export_fairseq",
    "export_fairseq_data",
    "generate",
    "generate_file",
    "import_fairseq",
    "init",
    "judge_pairs",
    "judge_read",
    "load",
    "load_pretraining",
    "load_study",
    "params",
    "plan",
    "power_assumed",
    "power_measured",
    "predict",
    "predict_texts",
    "pretrain",
    "push",
    "read_leaderboard",
    "replay",
    "run",
    "run_until",
    "schema",
    "stack",
    "unstack",
    "watch",
    "work",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("headstart")
    if name not in _HOME:
        raise AttributeError(f"module 'headstart' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*_HOME, *(name for name in globals() if name.startswith("__")), "__version__"})
