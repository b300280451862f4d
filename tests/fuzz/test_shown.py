"""What is shown of odd names, labels and texts: no terminal obeys it, a model card keeps its structure."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from fuzzing import check_shown, print_as_people_see
from headstart.records import StudyWarning
from headstart.report.card import write_model_card
from headstart.report.study_summary import render_study_summary
from odd_values import texts
from studies import findings_of, make_record, make_study


def names() -> st.SearchStrategy[str]:
    """Labels as data may hold them: any text but blank ones."""
    return texts().filter(str.strip)


@given(names(), names(), st.lists(names(), min_size=1, max_size=3))
def test_a_card_keeps_its_structure(question: str, model: str, labels: list[str]) -> None:
    study = make_study(question=question, model=model)
    scores = {study.metric: 0.75}
    card = write_model_card(
        make_record("pretrained", 2, 0.5, valid=scores, test=scores), study, tuple(labels)
    )
    _, front, body = card.split("---\n", 2)
    assert set(YAML(typ="safe").load(front)) == {
        "library_name",
        "metrics",
        "model-index",
        "pipeline_tag",
        "tags",
    }
    assert list_blocks(body) == list_blocks(card_of_plain_words().split("---\n", 2)[2])
    check_shown(card)


def card_of_plain_words() -> str:
    """A card whose structure is as it is meant."""
    study = make_study(question="Does it help?", model="m")
    scores = {study.metric: 0.75}
    return write_model_card(make_record("pretrained", 2, 0.5, valid=scores, test=scores), study, ("x",))


def list_blocks(text: str) -> list[str]:
    """The kinds of a Markdown text's blocks in their order; of links and images where they lead."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inner = [one for token in tokens for one in token.children or ()]
    marks = [f"{t.type} {t.attrs}" for t in inner if t.type in ("link_open", "image", "html_inline")]
    return [token.type for token in tokens] + marks


@given(st.text(max_size=20), st.lists(texts(), max_size=3))
def test_a_summary_is_obeyed_by_no_terminal(question: str, messages: list[str]) -> None:
    warnings = [StudyWarning(kind="odd", message=message) for message in messages]
    findings = findings_of({"pretrained": (0.8, 0.7), "random": (0.5, 0.6)}, *warnings, question=question)
    check_shown(print_as_people_see(render_study_summary(findings, Path("out"))))
