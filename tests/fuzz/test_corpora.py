"""Rows of odd texts, labels and groups, checked as each task's corpus."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fuzzing import check_shown, own_folder, print_as_people_see, run_to_end
from headstart.config.study import Study
from headstart.data.checks import load_corpus
from odd_values import scalars, texts, values, write_json

TASKS = ("classification", "multi-label", "regression", "instruction")


def cells() -> st.SearchStrategy[Any]:
    """Labels that may well be right, and what is never one."""
    return st.one_of(
        st.sampled_from(
            ("good", "bad", "good|bad", 0, 1, 1.5, True, [0, 1], ["good"], "[0, 1]", "['a', 'b']")
        ),
        scalars(),
        values(),
    )


def messages() -> st.SearchStrategy[Any]:
    """Conversations that may well be right, and others."""
    message = st.fixed_dictionaries(
        {"role": st.one_of(st.sampled_from(("user", "assistant", "system")), texts()), "content": cells()}
    )
    return st.one_of(st.lists(message, max_size=4), values())


#: Labels that are right, by task.
LABELS = {"classification": ("bad", "good"), "multi-label": (["a"], ["a", "b"]), "regression": (0.5, 1)}


def write_row(task: str, i: int) -> dict[str, Any]:
    """A row that each task can read."""
    said = [{"role": "user", "content": f"how many {i}"}, {"role": "assistant", "content": "one"}]
    row = {"text": f"a text {i}", "b": "film", "label": LABELS.get(task, (0, 1))[i % 2], "group": i % 6}
    return row | {"prompt": f"who is {i}", "response": "one", "messages": said}


@st.composite
def studies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Rows as JSON lines, of which a few have odd cells, and a study that reads them."""
    task = draw(st.sampled_from(TASKS))
    prose = st.one_of(texts(), values())
    columns = {"text": prose, "label": cells(), "group": cells(), "prompt": prose, "response": prose}
    columns |= {"messages": messages(), "b": cells()}
    rows = [write_row(task, i) for i in range(draw(st.sampled_from((1, 24))))]
    for i in draw(st.sets(st.integers(0, len(rows) - 1), max_size=2)):
        name = draw(st.sampled_from(sorted(columns)))
        rows[i][name] = draw(columns[name])
    keys: dict[str, Any] = {"text": st.sampled_from(("text", ["text", "prompt"], "b"))}
    keys |= {"label": st.sampled_from(("label", ["label", "b"], "b"))}
    keys |= {"label_separator": st.sampled_from(("|", ",", "a"))}
    keys |= {"label_names": st.lists(texts(), max_size=3), "skip_invalid": st.booleans()}
    keys |= {"group": st.sampled_from((None, "group", "identical", "b"))}
    keys |= {"messages": st.just("messages"), "split": st.just({"group": "group"})}
    keys |= {"training_texts": st.sampled_from(("folds", "bootstrap")), "folds": st.integers(2, 9)}
    chosen = draw(st.sets(st.sampled_from(sorted(keys)), max_size=3))
    data = {name: draw(keys[name]) for name in sorted(chosen)}
    return "\n".join(map(write_json, rows)), {"task": task, "data": data}


def check_corpus(rows: str, values: dict[str, Any]) -> None:
    """Load the corpus; what is said of it is free of what terminals obey."""
    with own_folder() as folder:
        (folder / "a.jsonl").write_bytes(rows.encode("utf-8", "surrogatepass"))
        data = values["data"] | {"path": str(folder / "a.jsonl")}
        arms = {"pretrained": {}, "random": {"init": "random"}, "words": None}
        try:
            study = Study.model_validate({"model": "m", "arms": arms} | values | {"data": data})
        except ValidationError:
            return  # of what a study may say, its own fuzzer
        corpus = run_to_end(load_corpus, study, folder=folder)
        if corpus is not None:
            assert len(corpus.digest) == 64
            for warning in corpus.warnings:
                check_shown(print_as_people_see(warning.message))


@given(studies())
def test_odd_corpora(study: tuple[str, dict[str, Any]]) -> None:
    check_corpus(*study)
