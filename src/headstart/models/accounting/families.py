"""The families whose models formulas know, by `model_type`: needs no torch."""

from __future__ import annotations

from typing import Final

from headstart.models.accounting.decoders import DECODERS
from headstart.models.accounting.encoders import ENCODERS
from headstart.models.accounting.gated_decoders import GATED_DECODERS

FAMILIES: Final = ENCODERS | DECODERS | GATED_DECODERS
