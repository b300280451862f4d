"""Which way a metric is better, which are shares, and what values it can have; knows names only."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from headstart.errors import HeadstartError


def _list_names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LOWER_IS_BETTER: Final = frozenset({"loss", "rmse", "mae", "perplexity"})
#: Shares, shown as percentages; differences between them are "points".
SHARES: Final = _list_names(
    "accuracy balanced_accuracy macro_f1 micro_f1 exact_match token_accuracy token_f1 stopped"
)
#: Headstart's own that are counted to 100; others count metrics of the same name to 1, too.
_TO_A_HUNDRED: Final = frozenset({"chrf"})
#: Metrics of others by the names that scikit-learn, evaluate, Hugging Face's Trainer, lm-evaluation-harness
#: and lighteval give them: shares of which more is better.
_OTHER_SHARES: Final = _list_names(
    "acc acc_norm acc_bytes acc_all correct is_correct em quasi_exact_match prefix_exact_match "
    "extractive_match f1 f1_score f1_macro f1_micro f1_weighted f1_binary f1_samples weighted_f1 mf1 "
    "accuracy_score balanced_accuracy_score top_k_accuracy precision precision_macro precision_micro "
    "precision_weighted recall recall_macro recall_micro recall_weighted precision_score recall_score "
    "jaccard jaccard_score roc_auc roc_auc_score auroc average_precision pass@1 pass@10 pass@100 pass@k "
    "mc1 mc2 truthfulqa_mc1 truthfulqa_mc2"
)
#: Likewise shares of which fewer are better.
_OTHER_ERROR_SHARES: Final = frozenset({"error_rate", "hamming_loss", "zero_one_loss"})
#: No shares, and higher is better. BLEU and its like are counted to 1 by some and to 100 by others.
_OTHER_HIGHER: Final = _list_names(
    "mcc matthews_correlation matthews_corrcoef pearson pearsonr spearman spearmanr r2 r2_score "
    "explained_variance cohen_kappa cohen_kappa_score bleu sacrebleu google_bleu chrf chrf++ meteor "
    "rouge1 rouge2 rougel rougelsum mrr likelihood log_likelihood"
)
#: Neither, and lower is better: losses, errors, and rates that may be above 1.
_OTHER_LOWER: Final = _list_names(
    "nll nll_loss log_loss cross_entropy mse mean_squared_error root_mean_squared_error mean_absolute_error "
    "median_absolute_error max_error mape mean_absolute_percentage_error smape mase brier_score "
    "brier_score_loss brier ppl word_perplexity byte_perplexity bits_per_byte wer cer ter"
)
#: Shares of right answers, so that what is left to one is a share of errors, and shares of errors.
_ERROR_SHARES: Final = _OTHER_ERROR_SHARES | _list_names(
    "accuracy balanced_accuracy exact_match token_accuracy acc acc_norm acc_bytes acc_all correct is_correct "
    "em quasi_exact_match prefix_exact_match extractive_match accuracy_score balanced_accuracy_score "
    "top_k_accuracy pass@1"
)
#: Correlations of two numbers an example, and what else lies between -1 and 1.
_NUMBER_CORRELATIONS: Final = _list_names("pearson pearsonr spearman spearmanr")
_CORRELATIONS: Final = _NUMBER_CORRELATIONS | _list_names(
    "mcc matthews_correlation matthews_corrcoef cohen_kappa cohen_kappa_score"
)
#: Of the others, those that are never below zero.
_NEVER_NEGATIVE: Final = LOWER_IS_BETTER | _list_names(
    "mse mean_squared_error root_mean_squared_error mean_absolute_error ppl word_perplexity byte_perplexity "
    "wer cer ter mape brier brier_score brier_score_loss"
)
#: How the Trainer and others say of which examples a metric is.
_SPLITS: Final = re.compile(r"^(eval|test|valid|validation|val|dev|predict)_")


@dataclass(frozen=True)
class MetricInfo:
    """A metric: its name as people wrote it, which way it is better, and whether it is a share.

    Shares are numbers from 0 to 1, shown as percentages with one decimal; all others are shown in their own
    unit, with `decimals`. `highest` is the most that it can be, beside 0, where its name does not tell.
    """

    name: str
    lower_is_better: bool
    is_share: bool
    decimals: int = 3
    highest: float | None = None

    @property
    def unit(self) -> str:
        """What a difference of the metric is counted in."""
        return "points" if self.is_share else self.name

    @property
    def points(self) -> float:
        """How many of the units that people state margins in one unit of the values is."""
        return 100.0 if self.is_share else 1.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most that it can be; infinite where there is no such end, or none is known."""
        plain = _simplify(self.name)
        if self.is_share:
            return 0.0, 1.0
        if self.highest is not None:
            return 0.0, self.highest
        if plain in _CORRELATIONS:
            return -1.0, 1.0
        return (0.0 if plain in _NEVER_NEGATIVE else -math.inf), math.inf

    @property
    def is_number_correlation(self) -> bool:
        """Whether it correlates two numbers an example."""
        return _simplify(self.name) in _NUMBER_CORRELATIONS

    @property
    def counts_errors(self) -> bool:
        """Whether it is a share of errors, or of right answers."""
        return self.is_share and _simplify(self.name) in _ERROR_SHARES


def describe_metric(name: str) -> MetricInfo:
    """A metric of Headstart's own, or of a task that someone added."""
    if name in _TO_A_HUNDRED:
        return MetricInfo(name, lower_is_better=False, is_share=False, decimals=1, highest=100.0)
    return MetricInfo(name, name in LOWER_IS_BETTER, name in SHARES)


def find_metric(name: str) -> MetricInfo | None:
    """A metric of anybody's, where its name says beyond doubt which way it is better; else None.

    `eval_Accuracy` and `macro F1` are known as `accuracy` and `macro_f1` are, `neg_log_loss` of scikit-learn
    as the negative of a loss.
    """
    plain = _simplify(name)
    if plain in SHARES or plain in _OTHER_SHARES:
        return MetricInfo(name, lower_is_better=False, is_share=True)
    if plain in _OTHER_ERROR_SHARES:
        return MetricInfo(name, lower_is_better=True, is_share=True)
    if plain in LOWER_IS_BETTER or plain in _OTHER_LOWER:
        return MetricInfo(name, lower_is_better=True, is_share=False)
    if plain in _OTHER_HIGHER or _is_negated(plain):
        return MetricInfo(name, lower_is_better=False, is_share=False)
    return None


def _simplify(name: str) -> str:
    """As the tables above have it."""
    return _SPLITS.sub("", re.sub(r"[\s/-]+", "_", name.strip().lower()))


def _is_negated(plain: str) -> bool:
    """Whether it is a loss that scikit-learn negates, so that more is better."""
    rest = plain.removeprefix("neg_")
    return rest != plain and (rest in LOWER_IS_BETTER or rest in _OTHER_LOWER)


def settle_metric(
    name: str, lower_is_better: bool | None, known: MetricInfo | None, where: str
) -> MetricInfo:
    """The metric as it is known, or as the user says which way it is better.

    Args:
        lower_is_better: what the user says, if anything.
        known: what is known of the metric, by its name or by the file it stands in.
        where: the file that has it.

    Raises:
        HeadstartError: it is not known and nobody says; or the user contradicts what is known.
    """
    if known is None and lower_is_better is None:
        raise HeadstartError(
            f"metric {name!r} is not known: is higher or lower better?",
            where=where,
            expected="a metric with a known direction, such as accuracy, f1, eval_loss, wer or rmse",
            fix="add --higher-is-better or --lower-is-better",
        )
    if known is None:
        return MetricInfo(name, bool(lower_is_better), is_share=False)
    if lower_is_better is not None and lower_is_better != known.lower_is_better:
        said, true = ("lower", "higher") if lower_is_better else ("higher", "lower")
        raise HeadstartError(
            f"--{said}-is-better, but {true} {name!r} is better",
            where=where,
            expected=f"no option, or --{true}-is-better",
            fix="leave the option out; if the column holds something else, give it another name",
        )
    return known


def is_better(metric: str, new: float, old: float | None) -> bool:
    """Whether `new` beats `old` strictly, so that a tie keeps the earlier one."""
    if new != new:
        return False
    if old is None or old != old:
        return True
    return new < old if metric in LOWER_IS_BETTER else new > old
