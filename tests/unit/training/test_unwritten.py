"""A conversation that a chat template refuses is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headstart import plan
from headstart.config.load import load_study
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
