"""LoRA's settings on one line."""

from __future__ import annotations

import pytest

from headstart.config.inline import parse_lora
from headstart.config.study import Lora
from headstart.errors import HeadstartError


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("r=16,target=query_key_value", Lora(r=16, target=("query_key_value",))),
        ("target=query,value,r=8", Lora(r=8, target=("query", "value"))),
        *((f"target={role}", Lora(target=role)) for role in ("attention", "mlp", "all")),
        (
            " r = 4 , alpha = 32 , dropout=0 , bias=all , rslora=true",
            Lora(r=4, alpha=32, dropout=0, bias="all", rslora=True),
        ),
    ],
)
def test_a_line_is_read(text: str, settings: Lora) -> None:
    assert parse_lora(text) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not key=value"),
        ("query", "'query' is not key=value"),
        ("r=16,value", "'value' is not key=value"),
        ("rank=16", "rank: unknown key; "),
        ("r=16,targets=x", "targets: unknown key; did you mean 'target'?"),
        ("\udcff=3", "'\\udcff': unknown key; "),
        ("=3", "'': unknown key; "),
        ("r=1,r=2", "r: given twice"),
        ("r=1e400", "r: input should be a valid integer"),
        ("alpha=inf", "alpha: a finite number expected"),
        ("dropout=nan", "dropout: a finite number expected"),
        ("r=0", "r: "),
        ("r=sixteen", "r: "),
        ("bias=some", "bias: "),
        *((text, "target: attention, mlp, all or names") for text in ("target=", "target=,", "target=a,,b")),
    ],
)
def test_what_is_no_setting_is_refused(text: str, message: str) -> None:
    with pytest.raises(HeadstartError) as caught:
        parse_lora(text)
    assert caught.value.got.startswith(message)
    assert "r, alpha, dropout" in str(caught.value)
