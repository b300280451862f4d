"""The pages of `headstart explain`: a template of the package, filled with a model's numbers."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from headstart.models.accounting.sizes import LoraExplanation
from headstart.report.units import format_bytes


def render_lora_page(explanation: LoraExplanation) -> str:
    """The page about LoRA, in Markdown."""
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"number": "{:,}".format, "bytes": format_bytes, "cell": _escape_cell}
    template = (files("headstart.report") / "templates" / "lora.md").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        explanation=explanation, size=explanation.size, lora=explanation.lora
    )


def _escape_cell(text: str) -> str:
    """Text that ends no cell of a table."""
    return text.replace("|", "\\|")
