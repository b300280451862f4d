"""Settings for a first study, by our own advice: from how many texts there are, and how long they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: Few texts want many passes: with some hundred steps a study of 100 texts ends before it has learnt anything
#: (Mosbach et al. 2021, "On the stability of fine-tuning BERT": 20 epochs on small sets). The best epoch on
#: valid is tested, so that passes too many cost time and nothing else.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 600, 3, 20
#: Language models learn answers in fewer passes, and forget what else they knew in many.
_STEPS_OF_ANSWERS, _FEWEST_EPOCHS_OF_ANSWERS, _MOST_EPOCHS_OF_ANSWERS = 300, 2, 5
_FEW_TEXTS: Final = 500
#: Token limits to choose from, and the largest unless the model is known to take less. A limit that no text
#: reaches costs nothing, and a prompt that leaves no room for its answer loses it: those have plenty.
_LIMITS: Final = (64, 128, 256, 512)
_LIMITS_OF_ANSWERS: Final = (256, 512, 1024)
_LONGEST, _LONGEST_OF_ANSWERS = 512, 1024


@dataclass(frozen=True)
class FirstSettings:
    """What `training` and `tune` hold; `learning_rates` suit pretrained weights and random ones.

    `cuts_texts` where long texts are longer than `max_length`.
    """

    batch_size: int
    epochs: int
    max_length: int
    learning_rates: tuple[str, ...]
    cuts_texts: bool


def choose_settings(texts: int, long_tokens: int, *, limit: int | None, generates: bool) -> FirstSettings:
    """Settings for so many training examples.

    Args:
        long_tokens: of long texts, roughly.
        limit: most tokens that the model takes, where that is known.
        generates: whether the model writes answers, and adapters learn them.
    """
    batch_size = 4 if generates else 8 if texts < _FEW_TEXTS else 16
    steps_an_epoch = max(math.ceil(texts / batch_size), 1)
    epochs = (
        _clamp(_STEPS_OF_ANSWERS / steps_an_epoch, _FEWEST_EPOCHS_OF_ANSWERS, _MOST_EPOCHS_OF_ANSWERS)
        if generates
        else _clamp(_STEPS / steps_an_epoch, _FEWEST_EPOCHS, _MOST_EPOCHS)
    )
    longest = min(limit or _LONGEST_OF_ANSWERS, _LONGEST_OF_ANSWERS if generates else _LONGEST)
    limits = _LIMITS_OF_ANSWERS if generates else _LIMITS
    max_length = min(next((n for n in limits if n >= long_tokens), longest), longest)
    return FirstSettings(
        batch_size=batch_size,
        epochs=epochs,
        max_length=max_length,
        learning_rates=("1e-4", "2e-4", "5e-4") if generates else ("3e-5", "1e-4", "3e-4"),
        cuts_texts=long_tokens > max_length,
    )


def _clamp(epochs: float, fewest: int, most: int) -> int:
    return min(max(math.ceil(epochs), fewest), most)
