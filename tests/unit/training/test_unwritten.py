"""A conversation that a chat template refuses, or that is too long, is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart import plan
from headstart.config.load import load_study
from headstart.data import long_texts
from headstart.errors import DataError

#: As many models have it: users and assistants by turns, or none.
STRICT = """\
{%- for message in messages -%}
{%- if (message.role == "user") != (loop.index0 % 2 == 0) -%}
{{ raise_exception("roles must alternate") }}
{%- endif -%}
[{{ message.role }}] {{ message.content }}{{ eos_token }}
{% endfor -%}
{%- if add_generation_prompt -%}[assistant] {% endif -%}
"""


def test_the_row_is_named(tiny_bloom: Path, tmp_path: Path) -> None:
    (tmp_path / "strict.jinja").write_text(STRICT, encoding="utf-8")
    rows = [[("user", f"why {i}?"), ("assistant", f"so {i}.")] for i in range(20)]
    rows[13].insert(0, ("user", "hello"))
    lines = [{"messages": [{"role": role, "content": content} for role, content in row]} for row in rows]
    data = tmp_path / "talks.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    study = {
        "task": "instruction",
        "data": {"path": str(data), "messages": "messages"},
        "model": str(tiny_bloom),
        "arms": {"base": {"method": "none"}, "full": {}},
        "control": "base",
        "prompts": {"template": str(tmp_path / "strict.jinja")},
        "out": str(tmp_path / "out"),
    }
    (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    with pytest.raises(DataError, match=r"prompts\.template: it fails: roles must alternate;") as caught:
        plan(load_study(tmp_path / "study.yaml"))
    assert caught.value.where == f"{data}:14"
    assert caught.value.fix is not None


def test_the_row_of_a_conversation_too_long_is_named(
    tiny_bloom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_texts, "MOST_WHOLE", 5000)
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    lines = [{"prompt": f"why {i}?", "response": "so " * (3000 if i == 7 else 1)} for i in range(20)]
    data = tmp_path / "talks.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    study = {
        "task": "instruction",
        "data": {"path": str(data)},
        "model": str(tiny_bloom),
        "arms": {"base": {"method": "none"}, "full": {}},
        "control": "base",
        "out": str(tmp_path / "out"),
    }
    (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"characters, beginning with 'so so so[\s\S]*fix: shorten the text"
    ) as caught:
        plan(load_study(tmp_path / "study.yaml"))
    assert caught.value.where == f"{data}:8"
