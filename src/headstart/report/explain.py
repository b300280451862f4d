"""The pages of `headstart explain`: a template of the package, filled with a model's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from headstart.report.params import size


def page(facts: Mapping[str, Any]) -> str:
    """The page about LoRA, in Markdown, from what `headstart.sizing.explain_lora` gives."""
    own = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    own.filters |= {"number": "{:,}".format, "size": size}
    source = (files("headstart.report") / "templates" / "lora.md").read_text(encoding="utf-8")
    return own.from_string(source).render(_values(facts))


def _values(facts: Mapping[str, Any]) -> dict[str, Any]:
    own, more, memory = facts["lora"], facts["explained"], facts["memory"]
    rank = own["settings"]["r"]
    beside = own["head"] + own["biases"]
    return {
        "name": facts["model"].replace("|", "\\|"),
        "is_example": more["is_example"],
        "total": facts["total"],
        "trainable": own["trainable"],
        "share": f"{100 * own['trainable'] / facts['total']:.2f}%",
        "r": rank,
        "names": list(dict.fromkeys(path.rpartition(".")[2] for path in own["layers"])),
        "by_hand": own["by_hand"],
        "adapters": own["adapters"],
        "head": own["head"],
        "ranks": [{"r": r, "weights": n, "bytes": 4 * (n + beside)} for r, n in own["ranks"].items()],
        "scales": [
            {"alpha": alpha, "scale": f"{found['scale']:g}", "rslora": f"{found['rslora']:.3g}"}
            for alpha, found in more["scales"].items()
        ],
        "targets": [
            {"target": role, "layers": more["layers"][role], "weights": n}
            for role, n in own["targets"].items()
        ],
        "biases": [{"bias": kind, "weights": n} for kind, n in own["bias"].items()],
        "task_type": more["task_type"],
        "full_bytes": memory["full_training_bytes"],
        "lora_bytes": memory["training_bytes"],
        "qlora_bytes": more["qlora_bytes"],
        "file_bytes": own["file_bytes"],
    }
