"""Small faults, made on purpose in a module: what tests do not notice, they do not test."""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

SWAPS: dict[type, type] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
NEW_LINE = "\n"
Change = dict[str, Any]
"""New values for some fields of a node."""


class Mutant(NamedTuple):
    """A module with one fault."""

    what: str
    """What differs, and where in the source below."""
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, without its comments."""
    tree = ast.parse(source)
    before = ast.unparse(tree)
    idle = {id(node) for root in does_nothing(tree) for node in ast.walk(root)}
    for node in ast.walk(tree):
        if id(node) in idle:
            continue
        for change in changes(node):
            kept = {field: getattr(node, field) for field in change}
            vars(node).update(change)
            after = ast.unparse(ast.fix_missing_locations(tree))
            vars(node).update(kept)
            if after != before:
                yield Mutant(difference(before, after), after)


def does_nothing(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, imports and docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node
        for field in ("annotation", "returns"):
            if getattr(node, field, None):
                yield getattr(node, field)


def changes(node: ast.AST) -> Iterator[Change]:
    """The faults that one node can have."""
    match node:
        case ast.Constant(value=bool(value)):
            yield {"value": not value}
        case ast.Constant(value=str(value)):
            yield {"value": f"{value}?"}
        case ast.Constant(value=int(value) | float(value)):
            yield {"value": value + 1}
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                yield {"ops": [*ops[:at], SWAPS[type(op)](), *ops[at + 1 :]]}
        case ast.BoolOp(op=op, values=values):
            yield {"op": SWAPS[type(op)]()}
            yield from ({"values": rest} for rest in shorter(values))
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            yield {"left": right}
            yield {"right": left}
        case ast.BinOp(op=op):
            yield {"op": SWAPS[type(op)]()}
        case ast.If() | ast.IfExp():
            yield {"test": ast.Constant(True)}
            yield {"test": ast.Constant(False)}
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield {"operand": ast.UnaryOp(ast.Not(), operand)}
        case ast.Return(value=ast.expr()):
            yield {"value": None}
        case ast.Raise(cause=ast.expr()):
            yield {"cause": None}
        case ast.Dict(keys=keys, values=values):
            yield from ({"keys": k, "values": v} for k, v in zip(shorter(keys), shorter(values), strict=True))
        case ast.Tuple(elts=elements, ctx=ast.Load()):
            yield from ({"elts": rest} for rest in shorter(elements))
        case ast.Call(keywords=keywords):
            yield from ({"keywords": rest} for rest in shorter(keywords))
        case ast.FunctionDef(decorator_list=decorators):
            yield from ({"decorator_list": rest} for rest in shorter(decorators))
    if not isinstance(node, ast.Module | ast.ClassDef):
        yield from idle_statements(node)


def idle_statements(node: ast.AST) -> Iterator[Change]:
    """One statement of a block is not carried out."""
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        for at, statement in enumerate(block if isinstance(block, list) else ()):
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr | ast.Raise) and not docstring:
                yield {field: [*block[:at], ast.Pass(), *block[at + 1 :]]}


def shorter(items: list[Any]) -> Iterator[list[Any]]:
    """The list without each of its items in turn."""
    return ([*items[:at], *items[at + 1 :]] for at in range(len(items)))


def difference(before: str, after: str, around: int = 24) -> str:
    """What stood there and what stands there now, with some characters around it."""
    same = alike(before, after)
    rest = alike(before[same:][::-1], after[same:][::-1])
    first = max(0, same - around)
    was, is_now = (" ".join(text[first : len(text) - rest + around].split()) for text in (before, after))
    return f"line {before[:same].count(NEW_LINE) + 1}: {was}  ->  {is_now}"


def alike(one: str, other: str) -> int:
    """How many characters the two have in common before they differ."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
