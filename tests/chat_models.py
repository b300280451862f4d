"""Tokenizers and chat templates of the kinds that people have, made for tests: small, without weights."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

#: Ends nothing but a turn, and is no tokenizer's end token here.
TURN_END = "<|turn_end|>"
SPECIAL = ("<|pad|>", "<|start|>", "<|end|>", TURN_END, "<|head|>", "<|tail|>")

#: A start token, and headers with a line end behind them, as Llama 3 has them.
HEADERS = """\
{{- bos_token -}}
{%- for m in messages -%}
<|head|>{{ m.role }}<|tail|>

{{ m.content | trim }}<|turn_end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|head|>assistant<|tail|>

{% endif -%}"""
#: Roles in brackets, a system message within the first user's, a space before the end, as Mistral has them.
BRACKETS = """\
{{- bos_token -}}
{%- set ns = namespace(system="") -%}
{%- for m in messages -%}
{%- if m.role == "system" -%}{%- set ns.system = m.content + "\n\n" -%}
{%- elif m.role == "user" -%}{{ " [ASK] " + ns.system + m.content + " [/ASK]" }}{%- set ns.system = "" -%}
{%- else -%}{{ " " + m.content.strip() + " " + eos_token }}
{%- endif -%}
{%- endfor -%}"""
#: No system message, another name for the assistant, a line end behind each turn, as Gemma has it.
RENAMED = """\
{{- bos_token -}}
{%- for m in messages -%}
{%- if m.role == "system" -%}{{ raise_exception("no system message here") }}{%- endif -%}
<|head|>{{ "model" if m.role == "assistant" else m.role }}
{{ m.content | trim }}<|turn_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|head|>model
{% endif -%}"""
#: The end token stands behind the whole, where no answer is asked for, as Phi-3.5 has it.
CLOSED = """\
{%- for m in messages -%}
{{- "<|head|>" + m.role + "\n" + m.content + "<|turn_end|>\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|head|>assistant\n" -}}{%- else -%}{{- eos_token -}}{%- endif -%}"""
#: An empty think block before the last answer alone; those of earlier answers are taken off, as Qwen3 has it.
THINKING = """\
{%- set ns = namespace(last=-1) -%}
{%- for m in messages -%}
{%- if m.role == "user" -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for m in messages -%}
{%- set parts = m.content.split("</think>") -%}
{%- if m.role != "assistant" -%}{{- "<|head|>" + m.role + "\n" + m.content + "<|turn_end|>\n" -}}
{%- else -%}
{%- set thought = parts[0].split("<think>")[-1].strip("\n") if parts | length > 1 else "" -%}
{%- set said = parts[-1].lstrip("\n") -%}
{{- "<|head|>assistant\n" -}}
{%- if loop.index0 > ns.last -%}{{- "<think>\n" + thought + "\n</think>\n\n" -}}{%- endif -%}
{{- said + "<|turn_end|>\n" -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|head|>assistant\n" -}}{%- endif -%}"""
#: The prompt begins a thought that no answer of the template's has; thoughts are cut, as DeepSeek has it.
STARTED = """\
{{- bos_token -}}
{%- for m in messages -%}
{%- if m.role == "system" -%}{{- m.content -}}
{%- elif m.role == "user" -%}{{- "<|head|>" + m.content -}}
{%- else -%}{{- "<|tail|>" + m.content.split("</think>")[-1] + eos_token -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|tail|><think>\n" -}}{%- endif -%}"""
#: A channel's name before each answer, and another end behind the last, as gpt-oss has it.
CHANNELS = """\
{%- for m in messages -%}
{%- if m.role == "assistant" -%}
{{- "<|head|>assistant<|start|>final<|tail|>" + m.content -}}
{{- "<|end|>" if loop.last else "<|turn_end|>" -}}
{%- else -%}{{- "<|head|>" + m.role + "<|tail|>" + m.content + "<|turn_end|>" -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|head|>assistant" -}}{%- endif -%}"""
#: Says itself what the assistant writes.
MARKED = """\
{%- for m in messages -%}
{{- "<|head|>" + m.role + "\n" -}}
{%- if m.role == "assistant" -%}
{%- generation -%}{{- m.content + "<|turn_end|>" -}}{%- endgeneration -%}{{- "\n" -}}
{%- else -%}{{- m.content + "<|turn_end|>\n" -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|head|>assistant\n" -}}{%- endif -%}"""
#: Says so too, with an empty think block and the line end within.
MARKED_THINKING = MARKED.replace(
    'm.content + "<|turn_end|>" -}}{%- endgeneration -%}{{- "\n" -}}',
    '"<think>\n\n</think>\n\n" + m.content + "<|turn_end|>\n" -}}{%- endgeneration -%}',
)
#: Says so in two blocks, of which one is behind the whole.
MARKED_TWICE = (
    MARKED
    + "{%- if not add_generation_prompt -%}{% generation %}{{ eos_token }}{% endgeneration %}{%- endif -%}"
)
TEMPLATES = {
    "headers": HEADERS,
    "brackets": BRACKETS,
    "renamed": RENAMED,
    "closed": CLOSED,
    "thinking": THINKING,
    "started": STARTED,
    "channels": CHANNELS,
    "marked": MARKED,
    "marked-thinking": MARKED_THINKING,
    "marked-twice": MARKED_TWICE,
}


def make_chat_tokenizer(template: str | None = None, *, joins_lines: bool = False) -> Any:
    """Reads bytes; its end token is `<|end|>`, and `<think>` is a token that is not special.

    Args:
        joins_lines: two line ends are one token, where no word follows.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: i for i, name in enumerate([*SPECIAL, *alphabet, "ĊĊ"])}
    backend = Tokenizer(models.BPE(vocabulary, [("Ċ", "Ċ")] if joins_lines else []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|pad|>",
        bos_token="<|start|>",
        eos_token="<|end|>",
        additional_special_tokens=[TURN_END, "<|head|>", "<|tail|>"],
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    tokenizer.chat_template = template
    return tokenizer
