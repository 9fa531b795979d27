"""Functions of Feast's views that say plain arithmetic, as expressions. They are read, never run.

    df["total"] = inputs["price"] * inputs["quantity"]      ->      total = price * quantity

What is understood: arithmetic, comparison and logic of columns and constants, `fillna`, `abs`, `clip` and `isna`,
numpy's `where`, `exp`, `abs`, `floor` and `ceil`, names given on the way, columns put into the inputs or a copy, and in
Python mode a list over one column, or over several by `zip`.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr, ast.USub, ast.Invert,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip
_METHODS = {
    "fillna": "fill_null", "abs": "abs", "isna": "is_null", "isnull": "is_null", "notna": "is_not_null",
    "notnull": "is_not_null", "clip": "clip",
}  # fmt: skip
_NUMPY = ("exp", "abs", "floor", "ceil")  # of the same values here; a logarithm of 0 is another


class NotAnExpressionError(ValueError):
    """A body that says more than an expression can; the message says what, as a clause."""


def expressions(code: str, columns: Mapping[str, str]) -> dict[str, str]:
    """The features that a function gives, each as the Python of an expression. Raises NotAnExpressionError.

    columns: how each column of its input is written in a definition, such as {"conv_rate": "DriverStats.conv_rate"}.
    """
    function = function_of(code)
    if len(function.args.args) != 1:
        raise NotAnExpressionError("it takes more than its inputs")
    return _Body(function.args.args[0].arg, columns).read(function.body)


def function_of(code: str) -> ast.FunctionDef:
    """The function in the source that Feast keeps. Raises NotAnExpressionError."""
    try:
        module = ast.parse(textwrap.dedent(code))
    except SyntaxError:
        raise NotAnExpressionError("its source is not kept whole") from None
    found = next((node for node in module.body if isinstance(node, ast.FunctionDef)), None)
    if found is None:
        raise NotAnExpressionError("it is no function with a name")
    return found


class _Body:
    def __init__(self, argument: str, columns: Mapping[str, str]) -> None:
        self._argument = argument
        self._columns = columns
        self._names: dict[str, ast.expr] = {}  # what was given a name on the way
        self._results: dict[str, dict[str, ast.expr]] = {}  # frames and dictionaries that are being filled
        self._frames: dict[str, dict[str, ast.expr]] = {argument: {}}  # the inputs and copies, with what was put in

    def read(self, statements: list[ast.stmt]) -> dict[str, str]:
        for statement in statements:
            match statement:
                case ast.Expr(value=ast.Constant()):
                    pass  # its docstring
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._name(name, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._name(name, value)
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(column)))],
                    value=value,
                ) if name in self._results:
                    self._results[name][column] = self._expression(value)
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(column)))],
                    value=value,
                ) if name in self._frames:
                    self._frames[name] = {**self._frames[name], column: self._expression(value)}
                case ast.Return(value=ast.Name(id=name)) if name in self._results:
                    return _written(self._results[name])
                case ast.Return(value=ast.expr() as value) if computed := self._framed(value):
                    return _written(computed)
                case ast.Return(value=ast.expr() as value) if (filled := self._filled(value)) is not None:
                    return _written(filled)
                case _:
                    raise NotAnExpressionError(f"line {statement.lineno} says `{_first_line(statement)}`")
        raise NotAnExpressionError("it returns nothing")

    def _name(self, name: str, value: ast.expr) -> None:
        filled, framed = self._filled(value), self._framed(value)
        if filled is not None:
            self._results[name] = filled
        elif framed is not None:
            self._frames[name] = framed
        else:
            self._names[name] = self._expression(value)

    def _framed(self, value: ast.expr) -> dict[str, ast.expr] | None:
        """What was put into `inputs`, `inputs.copy()` or `inputs.assign(...)`; None for anything else."""
        match value:
            case ast.Name(id=name):
                return self._frames.get(name)
            case ast.Call(func=ast.Attribute(value=subject, attr="copy"), args=[], keywords=[]):
                return self._framed(subject)
            case ast.Call(func=ast.Attribute(value=subject, attr="assign"), args=[], keywords=given):
                before = self._framed(subject)
                if before is None or any(each.arg is None or isinstance(each.value, ast.Lambda) for each in given):
                    return None
                return {**before, **{str(each.arg): self._expression(each.value) for each in given}}
            case _:
                return None

    def _filled(self, value: ast.expr) -> dict[str, ast.expr] | None:
        """The columns of `pd.DataFrame()`, `pd.DataFrame({...})` or `{...}`; None for anything else."""
        match value:
            case ast.Call(func=ast.Attribute(attr="DataFrame"), args=[ast.Dict() as inside]):
                return self._filled(inside)
            case ast.Call(func=ast.Attribute(attr="DataFrame"), args=[]):
                return {}
            case ast.Dict(keys=keys, values=values):
                found: dict[str, ast.expr] = {}
                for key, each in zip(keys, values, strict=True):
                    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                        return None
                    found[key.value] = self._expression(each)
                return found
            case _:
                return None

    def _expression(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Constant(value=bool() | int() | float() | str()):
                return node
            case ast.Name(id=name) if name in self._names:
                return self._names[name]
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(column))):
                return self._column(name, column)
            case ast.BinOp(left, op, right) if isinstance(op, _OPERATORS):
                return ast.BinOp(self._expression(left), op, self._expression(right))
            case ast.UnaryOp(op, operand) if isinstance(op, _OPERATORS):
                return ast.UnaryOp(op, self._expression(operand))
            case ast.Compare(left, [op], [right]) if isinstance(op, _OPERATORS):
                return ast.Compare(self._expression(left), [op], [self._expression(right)])
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="where"),
                args=[condition, value, other],
                keywords=[],
            ):
                when = ast.Call(ast.Attribute(ast.Name("fs"), "when"), [self._expression(condition)], [])
                then = ast.Call(ast.Attribute(when, "then"), [self._expression(value)], [])
                return ast.Call(ast.Attribute(then, "otherwise"), [self._expression(other)], [])
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=method), args=[arg], keywords=[]
            ) if method in _NUMPY:
                return ast.Call(ast.Attribute(self._expression(arg), method), [], [])
            case ast.Call(func=ast.Attribute(value=subject, attr=method), args=args, keywords=[]) if method in _METHODS:
                called = ast.Attribute(self._expression(subject), _METHODS[method])
                return ast.Call(called, [self._expression(arg) for arg in args], [])
            case ast.ListComp(elt=element, generators=[ast.comprehension(target=target, iter=over, ifs=[])]):
                return self._of_rows(element, target, over)
            case _:
                raise NotAnExpressionError(f"it says `{_first_line(node)}`")

    def _column(self, name: str, column: str) -> ast.expr:
        if name in self._results and column in self._results[name]:
            return self._results[name][column]
        if name in self._frames and column in self._frames[name]:
            return self._frames[name][column]
        if name not in self._frames or column not in self._columns:
            raise NotAnExpressionError(f"it reads {column!r}, which is none of its inputs")
        return ast.parse(self._columns[column], mode="eval").body

    def _of_rows(self, element: ast.expr, target: ast.expr, over: ast.expr) -> ast.expr:
        """`[f(x) for x in column]` and `[f(x, y) for x, y in zip(one, other)]`: what is said of each row."""
        match target, over:
            case ast.Name(id=name), ast.Subscript():
                rows = {name: self._expression(over)}
            case ast.Tuple(elts=targets), ast.Call(func=ast.Name(id="zip"), args=args) if len(targets) == len(args):
                names = [each.id for each in targets if isinstance(each, ast.Name)]
                if len(names) != len(args):
                    raise NotAnExpressionError(f"it says `{_first_line(over)}`")
                rows = {name: self._expression(arg) for name, arg in zip(names, args, strict=True)}
            case _:
                raise NotAnExpressionError(f"it says `{_first_line(over)}`")
        outside, self._names = self._names, {**self._names, **rows}
        try:
            return self._expression(element)
        finally:
            self._names = outside


def _written(features: Mapping[str, ast.expr]) -> dict[str, str]:
    return {name: ast.unparse(ast.fix_missing_locations(value)) for name, value in features.items()}


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]
