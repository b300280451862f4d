"""No tuning: a language model is asked as its checkpoint is."""

from __future__ import annotations

from pathlib import Path

from headstart.device import choose_weights_dtype, describe_device
from headstart.engine.evaluate import evaluate_members, require_scores
from headstart.engine.member import PackContext
from headstart.methods.base import RunResult, UntrainedMethod, build_base_model
from headstart.models.accounting.counts import count_parameters
from headstart.prepared import PreparedRun
from headstart.records import Parameters, Selection
from headstart.tasks import load_task


class NoneMethod(UntrainedMethod):
    """Measures, answers, and saves nothing."""

    name = "none"

    def explain_alone(self, prepared: PreparedRun) -> str | None:
        """Always."""
        return "not trained, evaluated only"

    def count_parameters(self, prepared: PreparedRun) -> Parameters | None:
        """Those of the checkpoint, none of which train."""
        return Parameters(total=count_parameters(prepared.checkpoint.build_skeleton()).total, trainable=0)

    def run(self, prepared: PreparedRun, context: PackContext | None, folder: Path) -> RunResult:
        """Ask the checkpoint what a tuned model is asked."""
        assert context is not None
        task = load_task(prepared.study.study.task)
        model = build_base_model(prepared).to(context.device, choose_weights_dtype(context.precision))
        valid = context.parts["valid"]
        (scores,) = evaluate_members(
            model,
            valid.tokens,
            valid.labels,
            task=task,
            outputs=context.outputs,
            pad_id=context.pad_id,
            device=context.device,
            precision=context.precision,
        )
        return RunResult(
            selection=Selection(metric=context.metric, rule="no training: the checkpoint as it is"),
            valid=require_scores(scores) | task.measure_answers(model, prepared, context),
            test=task.test(model, prepared, context, folder)
            | task.test_answers(model, prepared, context, folder),
            parameters=Parameters(total=count_parameters(model).total, trainable=0),
            device=describe_device(context.device),
            precision=context.precision,
            best_epoch=0,
            answers=task.answer_samples(model, prepared, context),
        )


NONE = NoneMethod()
