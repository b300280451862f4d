"""Puts counts into a parsed template: at turns of loops and macros, joins, comparisons, copies, new lists."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, nodes

_LITERALS = (nodes.List, nodes.Tuple, nodes.Dict)


def count_turns(template: nodes.Template, environment: Environment) -> nodes.Template:
    """The same template; it calls `take_turn`, `join_parts`, `copy` and `look_at` of its environment."""
    loops: list[nodes.For] = list(template.find_all(nodes.For))
    for loop in loops:
        turn = _call("take_turn", [nodes.Const(_measure_text(loop))], loop)
        if loop.test is None:
            loop.body.insert(0, nodes.ExprStmt(turn).set_lineno(loop.lineno))
        else:
            loop.test = nodes.And(turn, loop.test).set_lineno(loop.lineno)
    macros: list[Any] = list(template.find_all((nodes.Macro, nodes.CallBlock)))
    for macro in macros:
        turn = _call("take_turn", [nodes.Const(_measure_text(macro))], macro)
        macro.body.insert(0, nodes.ExprStmt(turn).set_lineno(macro.lineno))
    _replace_children(template)
    return template.set_environment(environment)  # type: ignore[return-value]


def _measure_text(node: nodes.Node) -> int:
    """Characters of the text that stands in a block."""
    return sum(len(data.data) for data in node.find_all(nodes.TemplateData))


def _call(name: str, args: list[nodes.Expr], near: nodes.Node) -> nodes.Call:
    made = nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None)
    made.set_lineno(near.lineno, override=False)
    return made


def _replace_children(node: nodes.Node) -> None:
    for name, value in list(node.iter_fields()):
        if isinstance(value, nodes.Node):
            setattr(node, name, _replace(value))
        elif isinstance(value, list):
            setattr(node, name, [_replace(one) if isinstance(one, nodes.Node) else one for one in value])


def _replace(node: nodes.Node) -> nodes.Node:
    """The node, with a count around it where one is needed."""
    _replace_children(node)
    if isinstance(node, nodes.Concat):
        return _call("join_parts", node.nodes, node)
    if isinstance(node, nodes.Compare):
        _count_compared(node)
    is_copy = isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice) and node.ctx == "load"
    if is_copy:
        return _call("copy", [node], node)  # type: ignore[list-item]
    return _look_at(node) if _is_made(node) else node


def _is_made(node: nodes.Node) -> bool:
    """Whether it is a list, tuple or dict that holds more than constants."""
    if not isinstance(node, _LITERALS) or getattr(node, "ctx", "load") != "load":
        return False
    return any(not isinstance(part, nodes.Const) for part in node.iter_child_nodes())


def _count_compared(node: nodes.Compare) -> None:
    """Of two values of which one is written down, no more is compared than that has."""
    for operand in node.ops:
        holds = operand.op in ("in", "notin")
        if not isinstance(operand.expr, (nodes.Const, *_LITERALS)) and (
            holds or not isinstance(node.expr, nodes.Const)
        ):
            operand.expr = _look_at(operand.expr)


def _look_at(node: Any) -> nodes.Call:
    return _call("look_at", [node], node)
