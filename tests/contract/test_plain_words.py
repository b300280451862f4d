"""What people read is plain technical English: no sentence has a phrase that reads translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import headstart

SOURCE: Final = Path(headstart.__file__).parent
#: A phrase as a pattern, whatever the case, and what to write instead.
REFUSED: Final = {
    r"\bmend": "fix",
    r"\bis there already\b": "already exists",
    r"four times in five": "minimum detectable difference (80% power)",
    r"\bdifferences? from .* on (are|is) shown": "can detect differences of ... or more",
    r"times in 100\b|would be shown": "power for a difference of ...: ...%",
    r"\bthe \w+( \w+)? binds?\b": "limited by the number of ...",
    r"nothing is decided": "no clear difference between A and B",
    r"\b(does|do) no more\b": "was removed",
    r"what is done is kept|goes on from there": "2 of 6 runs finished; repeat the command to resume",
    r"time: not known": "time: not estimated; add --probe",
    r"\ba text of\b": "tokens per training text",
    r"\beach by itself\b": "trained one at a time, or: not trained, evaluated only",
    r"\bfor nothing\b|\bnothing trains\b": "not trained, evaluated only",
    r"can train as one|\d\}? (runs )?as one\b": "train together",
    r"decides? how many do": "chosen automatically",
    r"nothing else than": "only ... is supported",
    r"which labels nothing|and answers nothing": "this is a generative model: use `headstart generate`",
    r"\bgreedily\b|\babove: drawn\b": "greedy, sampling",
    r"^most \w+ of\b|\bmost tokens\b": "maximum",
    r"\bheld against\b": "compared with",
    r"\bstands? (there )?twice\b": "appears twice",
    r"\bof (a|its|their) own name\b|with names? of (its|their) own\b": "a unique name",
    r"\bnone of (its|the sheet's)\b|\bis none of\b": "is not one of, does not belong to",
    r"\bis no (file|number|text|object|arm|metric|whole|key)\b": "is not a ...",
    r"\bis another\b": "differs",
    r"\bin one another\b": "nested",
    r"\bis of (no use|the whole)\b": "say what follows from it",
    r"\bsuch as .* has\b": "like those of",
    r"\b(begins|began|begin) anew\b|\bas begun\b": "restarts from the beginning",
    r"\blets it go on\b|\bgoes on without end\b": "resumes it; does not end",
    r"\bhas told nothing\b|\bnobody knows\b|\bnobody can tell\b": "has reported nothing; unknown",
    r"\bat work\b": "running",
    r"\bwhose affair\b|\bin the midst\b|\bof before\b|\bthat much\b|\bmakes none\b": "rewrite the sentence",
    r"\bwhat is there is kept\b|\bwhat is there kept\b": "the old files are kept in set-aside/",
    r"\bof git-lfs\b": "Git LFS pointer",
    r"\btake (it|the \w+) out\b": "remove",
    r"\bwhich is not done here\b": "which is not supported",
    r"\bgives other\b|\banswered other\b|\btested on other\b": "different",
    r"\babsent or of another size\b": "missing or of the wrong size",
    r"\bhalf a character\b": "an unpaired surrogate",
    r"\bone (object|text|label|row) an? \w+\b|\bnumbers? a text\b|\bexamples a seed\b": "per",
    r"\bpoints of accuracy\b": "points",
    r"\bfigures are too good\b": "scores are optimistic",
    r"\bwants (answers|a)\b|\bwant a\b": "needs",
    r"\bin no figure\b|\bcompared with nothing\b": "excluded; not compared",
    r"\bthese very\b": "these ... only",
    r"\b(training|train|test) texts\b": "training examples, test examples",
    r"\b(with|of|than) \{\} (texts|examples)\b": "{} training examples, {} test examples",
}


def list_sentences(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a module that hold several words, with their lines; docstrings are not shown."""
    tree = ast.parse(source)
    yield from _walk(tree, {id(node) for node in _list_docstrings(tree)})


def _list_docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def _walk(node: ast.AST, passed: set[int]) -> Iterator[tuple[int, str]]:
    if id(node) in passed:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
        yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else "{}" for v in node.values]
        yield node.lineno, "".join(map(str, parts))
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from _walk(child, passed)


def list_shown() -> Iterator[tuple[str, str]]:
    """Every sentence of the program, with its place: strings, the docstrings of commands, and templates."""
    for file in sorted(SOURCE.rglob("*.py")):
        name, source = str(file.relative_to(SOURCE)), file.read_text("utf-8")
        yield from ((f"{name}:{line}", text) for line, text in list_sentences(source))
        if file.parent.name == "cli":
            tree = ast.parse(source)
            yield from ((f"{name}:{node.lineno}", str(node.value)) for node in _list_command_texts(tree))
    for file in sorted((SOURCE / "report" / "templates").iterdir()):
        lines = enumerate(file.read_text("utf-8").splitlines(), 1)
        yield from ((f"{file.name}:{number}", line) for number, line in lines)


def _list_command_texts(tree: ast.Module) -> Iterator[ast.Constant]:
    """Docstrings of public functions: those of commands are their help."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield from (
                one for one in _list_docstrings(ast.Module([node], [])) if isinstance(one, ast.Constant)
            )


def find_refused(sentence: str) -> list[str]:
    """What to write instead of the phrases that the sentence has."""
    text = " ".join(sentence.split())
    return [better for phrase, better in REFUSED.items() if re.search(phrase, text, re.IGNORECASE)]


def test_sentences_are_found() -> None:
    shown = [text for _, text in list_shown()]
    assert len(shown) > 2000
    assert any("minimum detectable difference (80% power)" in text for text in shown)
    assert any(text.startswith("Show which differences a study can detect.") for text in shown)
    assert any(text.startswith("# What LoRA's settings do") for text in shown)


def test_no_sentence_reads_translated() -> None:
    found = [
        f"{place}: {text!r}: write {better[0]!r}"
        for place, text in list_shown()
        if (better := find_refused(text))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "sentence",
    [
        "how to mend it",
        "models/lora is there already",
        "smallest difference shown four times in five, points",
        "a - b, 3 seeds, 500 test examples: differences from 21.6 points on are shown",
        "1.0 points would be shown 6 times in 100",
        "the texts bind: more seeds help little",
        "Between A and B nothing is decided: A's answer",
        "seeds held [1], and does no more",
        "what is done is kept, and the same command goes on from there",
        "time: not known; --probe makes a few steps",
        "tokens a text of train, for minilm:",
        "lora: each by itself, for nothing trains",
        "a, b: up to 4 can train as one; a probe decides how many do",
        "nothing else than merging is known",
        "a causal language model, which labels nothing",
        "0: greedily; above: drawn",
        "Most tokens of an answer.",
        "held against the control",
        "for these training texts",
        "all test texts are in one group",
        "2 of 3 of lora with {} examples",
    ],
)
def test_phrases_are_known(sentence: str) -> None:
    assert find_refused(sentence)
