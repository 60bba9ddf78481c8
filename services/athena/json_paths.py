"""SQL/JSON paths: `lax $.a[*].b ? (@ > 3)`, parsed and evaluated over Python values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from services.athena.python_errors import invalid_argument

_TOKEN = re.compile(
    r"""\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|"((?:[^"\\]|\\.)*)"|(\$\w*|@)|(&&|\|\||==|<>|!=|<=|>=|\.\.|[.\[\]()*?,<>!+\-/%])|([A-Za-z_][\w]*))"""
)
Step = Callable[[list[Any], dict[str, Any], Any], list[Any]]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.tokens, at = text, [], 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if not found:
                raise invalid_argument(f"Couldn't parse JSON path: {text}")
            kinds = ("number", "string", "variable", "symbol", "word")
            place = found.lastindex or 1
            self.tokens.append((kinds[place - 1], found[place]))
            at = found.end()
        self.at = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, text: str) -> bool:
        if self.peek()[1] == text and self.peek()[0] in ("symbol", "word"):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise invalid_argument(f"Couldn't parse JSON path: {self.text}")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token


@lru_cache(512)
def parsed(path: str) -> tuple[bool, Any]:
    """(lax?, expression)"""
    parser = _Parser(path)
    lax = True
    if parser.peek() == ("word", "strict"):
        lax = False
        parser.at += 1
    elif parser.peek() == ("word", "lax"):
        parser.at += 1
    tree = _sum(parser)
    if parser.peek()[0] != "end":
        raise invalid_argument(f"Couldn't parse JSON path: {path}")
    return lax, tree


def _sum(p: _Parser) -> Any:
    left = _product(p)
    while p.peek()[1] in ("+", "-") and p.peek()[0] == "symbol":
        left = ("binary", p.next()[1], left, _product(p))
    return left


def _product(p: _Parser) -> Any:
    left = _unary(p)
    while p.peek()[1] in ("*", "/", "%") and p.peek()[0] == "symbol":
        left = ("binary", p.next()[1], left, _unary(p))
    return left


def _unary(p: _Parser) -> Any:
    if p.peek() in (("symbol", "-"), ("symbol", "+")):
        return ("unary", p.next()[1], _unary(p))
    return _accessors(p, _primary(p))


def _primary(p: _Parser) -> Any:
    kind, text = p.next()
    if kind == "number":
        return ("literal", float(text) if re.search(r"[.eE]", text) else int(text))
    if kind == "string":
        return ("literal", text.replace('\\"', '"').replace("\\\\", "\\"))
    if kind == "variable":
        return ("current",) if text == "@" else ("root",) if text == "$" else ("variable", text[1:])
    if kind == "word" and text in ("true", "false", "null"):
        return ("literal", {"true": True, "false": False, "null": None}[text])
    if kind == "word" and text == "last":
        return ("last",)
    if text == "(":
        inner = _sum(p)
        p.expect(")")
        return inner
    raise invalid_argument(f"Couldn't parse JSON path: {p.text}")


def _accessors(p: _Parser, tree: Any) -> Any:
    while True:
        if p.take("."):
            if p.take("*"):
                tree = ("members", tree)
                continue
            kind, text = p.next()
            if kind not in ("word", "string"):
                raise invalid_argument(f"Couldn't parse JSON path: {p.text}")
            if kind == "word" and p.peek() == ("symbol", "("):
                p.expect("(")
                if text not in _METHODS:
                    raise invalid_argument(f"Couldn't parse JSON path: {p.text}")
                p.expect(")")
                tree = ("method", text, tree)
            else:
                tree = ("member", text.replace('\\"', '"'), tree)
        elif p.take(".."):
            tree = ("descendants", p.next()[1], tree)
        elif p.take("["):
            if p.take("*"):
                p.expect("]")
                tree = ("elements", tree)
                continue
            ranges = []
            while True:
                first = _sum(p)
                ranges.append((first, _sum(p) if p.take("to") else None))
                if not p.take(","):
                    break
            p.expect("]")
            tree = ("subscript", ranges, tree)
        elif p.take("?"):
            p.expect("(")
            condition = _or(p)
            p.expect(")")
            tree = ("filter", condition, tree)
        else:
            return tree


def _or(p: _Parser) -> Any:
    left = _and(p)
    while p.take("||"):
        left = ("or", left, _and(p))
    return left


def _and(p: _Parser) -> Any:
    left = _predicate(p)
    while p.take("&&"):
        left = ("and", left, _predicate(p))
    return left


def _predicate(p: _Parser) -> Any:
    if p.take("!"):
        p.expect("(")
        inner = _or(p)
        p.expect(")")
        return ("not", inner)
    if p.take("exists"):
        p.expect("(")
        inner = _sum(p)
        p.expect(")")
        return ("exists", inner)
    start = p.at
    if p.take("("):
        try:
            inner = _or(p)
            p.expect(")")
            if p.take("is"):
                p.expect("unknown")
                return ("unknown", inner)
            if p.peek()[1] not in (
                "==",
                "<>",
                "!=",
                "<",
                "<=",
                ">",
                ">=",
                "+",
                "-",
                "*",
                "/",
                "%",
                ".",
                "[",
            ):
                return inner
        except ValueError:
            pass
        p.at = start
    left = _sum(p)
    if p.take("starts"):
        p.expect("with")
        return ("starts", left, _sum(p))
    if p.take("like_regex"):
        return ("regex", left, p.next()[1])
    operator = p.next()[1]
    if operator not in ("==", "<>", "!=", "<", "<=", ">", ">="):
        raise invalid_argument(f"Couldn't parse JSON path: {p.text}")
    return ("compare", operator, left, _sum(p))


#: A variable that is passed as JSON and is NULL: no item at all (JSON text no document can be).
EMPTY_SEQUENCE = '{"\\u0000":"empty sequence"}'
_EMPTY = {"\0": "empty sequence"}


def evaluate(value: Any, path: str, passed: dict[str, Any]) -> list[Any]:
    """The items the path selects. Raises PathRefused."""
    lax, tree = parsed(path)
    return _Evaluator(value, lax, passed).items(tree, None, None)


def _refuse() -> Any:
    from services.athena.python_json import PathRefused

    raise PathRefused


class _Evaluator:
    def __init__(self, root: Any, lax: bool, passed: dict[str, Any]) -> None:
        self.root, self.lax, self.passed = root, lax, passed

    def items(self, tree: Any, current: Any, last: int | None) -> list[Any]:
        kind = tree[0]
        match kind:
            case "root":
                return [self.root]
            case "current":
                return [current]
            case "variable":
                if self.passed.get(tree[1]) == _EMPTY:
                    return []
                return [self.passed[tree[1]]] if tree[1] in self.passed else _refuse()
            case "literal":
                return [tree[1]]
            case "last":
                return [last] if last is not None else _refuse()
            case "unary":
                numbers = self._unwrapped(self.items(tree[2], current, last))
                return [-n if tree[1] == "-" else n for n in map(_number, numbers)]
            case "binary":
                return [self._binary(tree, current, last)]
        inputs = self.items(tree[-1], current, last)
        return [found for item in inputs for found in self._step(tree, item, current)]

    def _binary(self, tree: Any, current: Any, last: int | None) -> Any:
        left = self._unwrapped(self.items(tree[2], current, last))
        right = self._unwrapped(self.items(tree[3], current, last))
        if len(left) != 1 or len(right) != 1:
            _refuse()
        a, b = _number(left[0]), _number(right[0])
        match tree[1]:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
        if b == 0:
            _refuse()
        if isinstance(a, int) and isinstance(b, int):
            return int(a / b) if tree[1] == "/" else int(math.fmod(a, b))
        return a / b if tree[1] == "/" else math.fmod(a, b)

    def _unwrapped(self, items: list[Any]) -> list[Any]:
        if not self.lax:
            return items
        return [x for item in items for x in (item if isinstance(item, list) else [item])]

    def _step(self, tree: Any, item: Any, current: Any) -> list[Any]:
        match tree[0]:
            case "member":
                return self._member(tree[1], item)
            case "members":
                found = self._unwrapped([item])
                if any(not isinstance(x, dict) for x in found) and not self.lax:
                    _refuse()
                return [v for x in found if isinstance(x, dict) for v in x.values()]
            case "descendants":
                return _descendants(item, tree[1])
            case "elements":
                if isinstance(item, list):
                    return list(item)
                return [item] if self.lax else _refuse()
            case "subscript":
                return self._subscript(tree[1], item, current)
            case "filter":
                found = self._unwrapped([item])
                return [x for x in found if self.test(tree[1], x) is True]
            case "method":
                return self._method(tree[1], item)
        return _refuse()  # type: ignore[no-any-return]

    def _member(self, name: str, item: Any) -> list[Any]:
        out = []
        for x in self._unwrapped([item]):
            if isinstance(x, dict) and name in x:
                out.append(x[name])
            elif not self.lax:
                _refuse()
        return out

    def _subscript(self, ranges: Any, item: Any, current: Any) -> list[Any]:
        if not isinstance(item, list):
            if not self.lax:
                _refuse()
            item = [item]
        out: list[Any] = []
        for first, until in ranges:
            low = self._index(first, current, len(item) - 1)
            high = low if until is None else self._index(until, current, len(item) - 1)
            if not self.lax and not 0 <= low <= high < len(item):
                _refuse()
            out += item[max(0, low) : high + 1]
        return out

    def _index(self, tree: Any, current: Any, last: int) -> int:
        found = self.items(tree, current, last)
        if len(found) != 1:
            _refuse()
        return int(_number(found[0]))

    def _method(self, name: str, item: Any) -> list[Any]:
        if name in ("type", "size"):
            return [
                _METHODS[name](item)
                if name == "type" or isinstance(item, list) or self.lax
                else _refuse()
            ]
        return (
            [_METHODS[name](x) for x in self._unwrapped([item])]
            if name != "keyvalue"
            else [
                {"name": k, "value": v, "id": 0}
                for x in self._unwrapped([item])
                if isinstance(x, dict)
                for k, v in x.items()
            ]
        )

    def test(self, tree: Any, current: Any) -> bool | None:
        match tree[0]:
            case "and":
                parts = [self.test(t, current) for t in tree[1:]]
                return False if False in parts else None if None in parts else True
            case "or":
                parts = [self.test(t, current) for t in tree[1:]]
                return True if True in parts else None if None in parts else False
            case "not":
                inner = self.test(tree[1], current)
                return None if inner is None else not inner
            case "unknown":
                return self.test(tree[1], current) is None
        return self._simple(tree, current)

    def _simple(self, tree: Any, current: Any) -> bool | None:
        from services.athena.python_json import PathRefused

        try:
            if tree[0] == "exists":
                return len(self.items(tree[1], current, None)) > 0
            if tree[0] == "regex":
                left = self._unwrapped(self.items(tree[1], current, None))
                return any(isinstance(x, str) and re.search(tree[2], x) for x in left)
            if tree[0] == "starts":
                left = self._unwrapped(self.items(tree[1], current, None))
                right = self.items(tree[2], current, None)
                return any(isinstance(x, str) and x.startswith(right[0]) for x in left)
            left = self._unwrapped(self.items(tree[2], current, None))
            right = self._unwrapped(self.items(tree[3], current, None))
        except PathRefused:
            return None
        answers = [_compared(tree[1], a, b) for a in left for b in right]
        if None in answers:
            return None
        return any(answers)


def _compared(operator: str, a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        same = a is None and b is None
        return {"==": same, "<>": not same, "!=": not same, "<=": same, ">=": same}.get(
            operator, False
        )
    if not _alike(a, b):
        return None
    order = (a > b) - (a < b)
    return bool({"==": order == 0, "<>": order != 0, "!=": order != 0, "<": order < 0,
                 "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator])  # fmt: skip


def _alike(a: Any, b: Any) -> bool:
    """Both truth values, both texts, or both numbers."""
    for kind in (bool, str):
        if isinstance(a, kind) or isinstance(b, kind):
            return isinstance(a, kind) and isinstance(b, kind)
    return isinstance(a, (int, float)) and isinstance(b, (int, float))


def _descendants(item: Any, name: str) -> list[Any]:
    out = []
    if isinstance(item, dict):
        if name in item:
            out.append(item[name])
        for inner in item.values():
            out += _descendants(inner, name)
    elif isinstance(item, list):
        for inner in item:
            out += _descendants(inner, name)
    return out


def _number(x: Any) -> Any:
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        _refuse()
    return x


def _double(x: Any) -> float:
    try:
        return float(x)
    except (TypeError, ValueError):
        return _refuse()  # type: ignore[no-any-return]


def _type_name(x: Any) -> str:
    for kind, name in (
        (type(None), "null"),
        (bool, "boolean"),
        ((int, float), "number"),
        (str, "string"),
        (list, "array"),
    ):
        if isinstance(x, kind):
            return name
    return "object"


_METHODS: dict[str, Callable[[Any], Any]] = {
    "type": _type_name,
    "size": lambda x: len(x) if isinstance(x, list) else 1,
    "double": _double,
    "abs": lambda x: abs(_number(x)),
    "floor": lambda x: math.floor(_number(x)),
    "ceiling": lambda x: math.ceil(_number(x)),
    "keyvalue": lambda x: x,
}
