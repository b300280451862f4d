"""Questions to `power` that have no answer are refused, numbers that no computer's float holds among them."""

from __future__ import annotations

import pytest

from headstart.analysis.power_questions import Question
from headstart.errors import HeadstartError


@pytest.mark.parametrize("key", ["test_examples", "seeds", "contrasts"])
def test_counts_of_hundreds_of_digits_are_refused(key: str) -> None:
    with pytest.raises(HeadstartError, match="a number of 401 digits") as caught:
        Question(**{key: 10**400}).check(is_share=True)
    assert caught.value.where == f"--{key.replace('_', '-')}"
