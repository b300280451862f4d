"""Whatever is written of a study is read back with the same values: first studies, and studies as run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.config.load import dump_study, load_study
from headstart.config.yaml_text import convert_to_plain, read_yaml
from headstart.report.yaml_lines import format_line, quote, quote_all

#: Words that YAML reads as something else, in one version or another.
WORDS = (
    *(
        "yes",
        "no",
        "on",
        "null",
        "~",
        "true",
        "1e3",
        "0x10",
        "0o7",
        "1_000",
        "+1",
        "2020-01-01",
        ".inf",
        ".nan",
    ),
    *(
        "-",
        "- a",
        "? a",
        "---",
        "...",
        "<<",
        "=",
        "!a",
        "&a",
        "*a",
        "%a",
        "@a",
        "`a",
        "a: b",
        "a #b",
        "asset:x y",
    ),
    *(
        "asset:",
        "asset:x y",
        "asset:\n",
        "1:30",
        "",
        " ",
        "'",
        '"',
        "\\",
        "\ufeff",
        "[a",
        "{a",
        "|",
        ">",
        "12e03",
        "0b1",
    ),
)
ODD = "\x1b\r\x85\u2028\u2029\u202e\n\t\x07\x9b'\"#:-@!%,?*&|<>=`\\ ~.e0"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(ODD), max_size=12)
WRITABLE = TEXTS | st.sampled_from(WORDS)
NAMES = WRITABLE.filter(bool)
#: No path has a NUL, and a name has at most 255 bytes.
FOLDERS = NAMES.filter(lambda text: "\0" not in text and not text.startswith("~"))


@given(st.lists(WRITABLE, min_size=1, max_size=3))
def test_lines_of_a_first_study_hold_any_text(texts: list[str]) -> None:
    lines = [format_line("one", quote(texts[0]), "a comment"), format_line("all", quote_all(texts))]
    assert convert_to_plain(read_yaml("\n".join(lines))) == {"one": texts[0], "all": texts}


STUDIES = st.fixed_dictionaries(
    {
        "question": WRITABLE,
        "data": st.fixed_dictionaries(
            {"path": FOLDERS, "text": WRITABLE, "label": WRITABLE},
            optional={
                "label_separator": NAMES,
                "group": NAMES | st.none(),
                "label_names": st.lists(NAMES, min_size=1, max_size=3, unique=True),
                "split": st.fixed_dictionaries({"valid": st.floats(0.01, 0.4), "group": WRITABLE}),
            },
        ),
        "model": FOLDERS,
        "out": FOLDERS,
        "training": st.fixed_dictionaries(
            {},
            optional={
                "learning_rate": st.floats(1e-300, 9.0),
                "weight_decay": st.floats(0, allow_infinity=False),
                "epsilon": st.floats(1e-300, 1.0),
                "steps": st.integers(1, 10**9),
                "betas": st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
            },
        ),
        "seeds": st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3, unique=True),
    },
    optional={"margin": st.floats(1e-300, 1e300), "sizes": st.just([2, "all"])},
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(STUDIES)
def test_a_study_is_read_back_as_it_was(tmp_path: Path, values: dict[str, Any]) -> None:
    task = "multi-label" if "label_names" in values["data"] else "classification"
    study = load_study(values | {"task": task})
    file = tmp_path / "study.yaml"
    file.write_text(dump_study(study), encoding="utf-8", newline="")
    assert load_study(file) == study


@pytest.mark.parametrize("word", WORDS)
def test_arms_and_samples_too(tmp_path: Path, word: str) -> None:
    arms = {
        "1": {},
        "yes": {"init": "random"},
        "null": {"method": "none"},
        "1e3": {"method": "lora", "lora": {"alpha": 8}},
    }
    prompts = {"task": "instruction", "samples": [word, f"{word}\r\u2028\x1b"]}
    study = load_study({"data": {"path": "x"}, "model": "m", "arms": arms} | prompts)
    file = tmp_path / "study.yaml"
    file.write_text(dump_study(study), encoding="utf-8", newline="")
    again = load_study(file)
    assert again == study
    assert [*again.arms] == [*arms]
