"""Templates write what transformers writes, and none runs for ever or fills the memory."""

# ruff: noqa: E501 - a template is a line

from __future__ import annotations

from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

import chat_models
from headstart.data import template_budget
from headstart.data.chat_templates import HUMAN_TEMPLATE
from headstart.data.limited_templates import render_limited
from headstart.data.template_budget import CHARACTERS, STEPS, TemplateLimitError

SPECIAL = {"bos_token": "<|start|>", "eos_token": "<|end|>", "pad_token": "<|pad|>"}
TEMPLATES = {
    name: text
    for name, text in vars(chat_models).items()
    if name.isupper() and isinstance(text, str) and "{%" in text
}
#: What templates of checkpoints use beside that, and the corners of what is counted.
OWN = {
    "human": HUMAN_TEMPLATE,
    "json": "{{ messages | tojson }}|{{ messages | tojson(indent=2) }}|{{ {'a': [1, none, true]} | tojson }}",
    "macro": "{% macro say(m, x='d') %}{{ m.role ~ ':' ~ x }}{% endmacro %}{% for m in messages %}{{ say(m) }}{% endfor %}",
    "call": "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in{% endcall %}",
    "slices": "{% for m in messages[1:] %}{{ m.content[:3] }}{% endfor %}{{ messages[::-1] | length }}",
    "loop": "{% for m in messages if m.role != 'system' %}{{ loop.index }}/{{ loop.length }}{{ loop.last }}{{ loop.cycle('a', 'b') }}{% else %}none{% endfor %}",
    "recursive": "{% for n in [[1, [2, 3]], [4]] recursive %}{{ loop(n) if n is iterable else n }},{% endfor %}",
    "pairs": "{% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}={{ v }};{% endfor %}{% for k, v in {'x': 1}.items() %}{{ k, v }}{% endfor %}",
    "break": "{% for m in messages %}{% if loop.index == 2 %}{% continue %}{% endif %}{% if loop.index > 3 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "filters": "{{ ' a b ' | trim | upper | replace('A', 'x') }}{{ [3, 1] | sort | join('-') }}{{ 'a' | center(5) }}{{ 'a\nb' | indent(2) }}{{ 'x y' | wordcount }}{{ 7 | round(1) }}{{ messages | map(attribute='role') | unique | list }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ range(3) | select('odd') | list }}{{ [1, 2] | sum }}{{ 'abc' | batch(2) | list }}{{ range(5) | slice(2) | list }}",
    "formats": "{{ '%s-%05.1f|%*d' | format('a', 2.5, 4, 7) }}{{ '%d%%' % 5 }}{{ '{:>6}|{a}|{0[0]}'.format('xy', a=1) }}{{ '{x}'.format_map({'x': 2}) }}",
    "methods": "{{ 'a,b,,c'.split(',') }}{{ 'x\ty'.expandtabs(4) }}{{ '7'.zfill(3) }}{{ ','.join(['a', 'b']) }}{{ 'aXa'.replace('a', 'bb') }}{{ 'ab'.translate({97: 'zz'}) }}{{ 'a\nb'.splitlines() }}{{ 'é'.encode('utf-8') }}",
    "numbers": "{{ 2 ** 10 }}{{ 7 % 3 }}{{ 3 * 4 }}{{ 1 + 1 }}{{ -7 // 2 }}{{ 2 ** 0.5 }}{{ 2 ** -1 }}{{ 'a' * 3 }}{{ [1] * 2 }}{{ [1] + [2] }}{{ (1,) + (2,) }}",
    "names": "{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ dict(a=1) }}{% set x %}in {{ ns.a }}{% endset %}{{ x | upper }}{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "tests": "{{ 'a' in 'abc' }}{{ 'user' in messages[0] }}{{ messages is defined }}{{ nothing is none }}{{ 1 < 2 < 3 }}{{ 'ab' is lower }}{{ messages[0].role in ['user', 'tool'] }}{{ 'x' is in('xyz') }}{{ nothing }}{{ nothing is undefined }}",
    "unknown": "{{ nothing.at.all }}",
    "raises": "{{ raise_exception('no ' ~ messages[0].role) }}",
    "filter block": "{% filter upper %}a{{ messages[0].role }}{% endfilter %}{% raw %}{{ x }}{% endraw %}",
    "blocks": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}|{% endfor %}",
}  # fmt: skip
CONVERSATIONS = [
    [("user", "Why?")],
    [("user", "hé 😀 {{ 1 }}"), ("assistant", "<think>a</think>\nfoo "), ("user", "more\n"), ("assistant", " end")],
    [("system", "be <nice> & 'kind'"), ("user", "Hi"), ("assistant", "Hello\n")],
]  # fmt: skip


def write(source: str, messages: list[dict[str, str]], *, asks: bool = False, blocks: bool = False) -> Any:
    values = {"messages": messages, "tools": None, "documents": None, "add_generation_prompt": asks}
    return render_limited(source, values | SPECIAL, 100, with_blocks=blocks)


def write_with_transformers(source: str, messages: list[dict[str, str]], *, asks: bool, blocks: bool) -> Any:
    texts, places = render_jinja_template(
        [messages],
        chat_template=source,
        add_generation_prompt=asks,
        return_assistant_tokens_mask=blocks,
        **SPECIAL,
    )
    return texts[0], [tuple(place) for place in places[0]] if blocks else []


def try_it(function: Any, *args: Any, **options: Any) -> Any:
    """What it gives, or the class and the words of its error."""
    try:
        return function(*args, **options)
    except Exception as error:  # noqa: BLE001 - whatever a template raises, both have to
        return type(error), str(error)


@pytest.mark.parametrize("name", [*TEMPLATES, *OWN])
def test_what_is_written_is_what_transformers_writes(name: str) -> None:
    source = (TEMPLATES | OWN)[name]
    for conversation in CONVERSATIONS:
        messages = [{"role": role, "content": content} for role, content in conversation]
        for asks in (False, True):
            for blocks in (False, True) if "generation %}" in source else (False,):
                expected = try_it(write_with_transformers, source, messages, asks=asks, blocks=blocks)
                assert try_it(write, source, messages, asks=asks, blocks=blocks) == expected


_GROW = (
    "{%% set ns = namespace(x=%s) %%}{%% for i in range(90) %%}{%% set ns.x = %s %%}{%% endfor %%}{{ ns.x }}"
)
HOSTILE = {
    "text": "{{ 'a' * 3000000000 }}",
    "unwritten text": "{% set x = 'a' * 3000000000 %}",
    "text times in turn": "{{ 3000000000 * 'a' }}",
    "list": "{{ ([1] * 3000000000) | length }}",
    "tuple": "{{ ((1, 2) * 3000000000) | length }}",
    "range": "{{ range(1000000000) | list }}",
    "power": "{{ 9 ** 999999999 }}",
    "power of itself": "{% set ns = namespace(x=9) %}{% for i in range(90) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "rounded": "{{ 1.5 | round(100000000, 'floor') }}",
    "percent": "{{ '%1000000000d' % 1 }}",
    "percent star": "{{ '%*d' % (1000000000, 1) }}",
    "percent digits": "{{ '%.1000000000f' % 1 }}",
    "percent filter": "{{ '%1000000000d' | format(1) }}",
    "field": "{{ '{:>1000000000}'.format('a') }}",
    "field within": "{{ '{:>{w}}'.format('a', w=1000000000) }}",
    "field of a map": "{{ '{x:>1000000000}'.format_map({'x': 1}) }}",
    "fields": "{{ ('{0}' * 9000).format('a' * 9000) }}",
    "center": "{{ 'a' | center(3000000000) }}",
    "center in a map": "{{ ['a'] | map('center', 3000000000) | list }}",
    "ljust": "{{ 'a'.ljust(3000000000) }}",
    "zfill": "{{ 'a'.zfill(3000000000) }}",
    "expandtabs": "{{ '\t'.expandtabs(3000000000) }}",
    "indent": "{{ ('a\n' * 9000) | indent(3000000) }}",
    "json indent": "{{ [1, 2] | tojson(indent=3000000000) }}",
    "bytes": "{{ (1).to_bytes(3000000000, 'big') }}",
    "slice": "{{ [1] | slice(3000000000) | list }}",
    "batch": "{{ [1] | batch(3000000000, 'x') | list }}",
    "replace": "{{ ('a' * 9000).replace('a', 'b' * 900000) }}",
    "replace filter": "{{ ('a' * 9000) | replace('a', 'b' * 900000) }}",
    "join": "{{ range(90000) | join('x' * 90000) }}",
    "join of a map": "{{ range(90000) | map('string') | join('x' * 90000) }}",
    "join method": "{{ ('x' * 90000).join('y' * 90000) }}",
    "translate": "{{ ('a' * 9000).translate({97: 'b' * 900000}) }}",
    "wordwrap": "{{ ('a' * 9000) | wordwrap(1, true, 'b' * 900000) }}",
    "sum of lists": "{{ ([[1] * 9000] * 9000) | sum(start=[]) | length }}",
    "paragraphs": "{{ lipsum(n=1000000000) }}",
    "grown by plus": _GROW % ("'ab'", "ns.x + ns.x"),
    "grown by tilde": _GROW % ("'ab'", "ns.x ~ ns.x"),
    "grown by list": _GROW % ("[1]", "ns.x + ns.x"),
    "grown by nested list": _GROW % ("[1]", "[ns.x, ns.x]"),
    "grown by nested dict": _GROW % ("[1]", "{'a': ns.x, 'b': ns.x}"),
    "grown by dict()": _GROW % ("[1]", "dict(a=ns.x, b=ns.x)"),
    "grown by format": _GROW % ("'ab'", "'%s%s' % (ns.x, ns.x)"),
    "grown by fields": _GROW % ("'ab'", "'{0}{0}'.format(ns.x)"),
    "grown by join": _GROW % ("'ab'", "[ns.x, ns.x] | join"),
    "grown by block": "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set x %}{{ ns.x }}{{ ns.x }}"
    "{% endset %}{% set ns.x = x %}{% endfor %}",
    "grown by namespaces": "{% set ns = namespace(x=1) %}{% for i in range(90) %}{% set n = namespace() %}"
    "{% set n.a = ns.x %}{% set n.b = ns.x %}{% set ns.x = n %}{% endfor %}{{ ns.x }}",
    "loops": "{% for a in range(9000) %}{% for b in range(9000) %}{% for c in range(9000) %}{% endfor %}"
    "{% endfor %}{% endfor %}",
    "loops that are filtered": "{% for a in range(90000) %}{% for b in range(90000) if false %}{% endfor %}{% endfor %}",
    "filters in loops": "{% for a in range(90000) %}{{ range(90000) | reject('number') | list }}{% endfor %}",
    "sorting in loops": "{% for a in range(90000) %}{{ range(90000) | sort | length }}{% endfor %}",
    "copies in loops": "{% set x = 'a' * 8000000 %}{% for a in range(90000) %}{% set y = x[1:] %}{% endfor %}",
    "comparisons in loops": "{% set x = 'a' * 8000000 %}{% set y = 'a' * 7999999 + 'b' %}{% for a in range(90000) %}"
    "{% if x == y %}{% endif %}{% endfor %}",
    "tests in loops": "{% set x = 'a' * 8000000 %}{% for a in range(90000) %}{% if x is lower %}{% endif %}{% endfor %}",
    "text in loops": "{% for a in range(99000) %}" + "x" * 90000 + "{% endfor %}",
    "macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "macro that calls itself twice": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
    "{{ f(90) }}",
    "loop that calls itself": "{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}",
    "nested parentheses": "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
    "nested lists": "{{ " + "[" * 90 + "1" + "]" * 90 + " }}{{ " + "-" * 9000 + "1 }}",
    "long source": "x" * (2 << 20),
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "extends": "{% extends 'x' %}",
}  # fmt: skip
ENDS = (TemplateLimitError, RecursionError, SyntaxError, MemoryError, OverflowError, TypeError)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_template_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tenth of what is allowed, so that the test is quick."""
    monkeypatch.setattr(template_budget, "STEPS", STEPS // 10)
    monkeypatch.setattr(template_budget, "CHARACTERS", CHARACTERS // 10)
    with pytest.raises(ENDS):
        write(HOSTILE[name], [{"role": "user", "content": "Hi"}])


def test_each_rendering_has_a_budget_of_its_own() -> None:
    source = "{% for i in range(9) %}{% for j in range(70000) %}{% endfor %}{% endfor %}x"
    for _ in range(2):
        assert write(source, []) == ("x", [])


def test_long_conversations_are_within_the_limits() -> None:
    messages = [{"role": ("user", "assistant")[i % 2], "content": "long words " * 1000} for i in range(200)]
    for source in TEMPLATES.values():
        if "raise_exception" not in source:
            assert len(write(source, messages)[0]) > 1_000_000


@pytest.mark.parametrize(
    "source", ["{{ ''.__class__ }}", "{{ messages.__init__ }}", "{{ self.__init__.__globals__ }}", "{{ [].append(1) }}"]
)  # fmt: skip
def test_sandbox_holds(source: str) -> None:
    expected = try_it(write_with_transformers, source, [], asks=False, blocks=False)
    assert try_it(write, source, []) == expected
