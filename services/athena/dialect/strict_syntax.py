"""What sqlglot reads and Trino's grammar refuses: checked on the tokens, before the tree is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from services.athena.errors import SqlRefused

#: Types of other databases, which Trino does not know.
_FOREIGN_TYPES = frozenset((
    "float", "numeric", "dec", "text", "string", "nvarchar", "binary", "long", "number", "int2", "int4", "int8",
    "byte", "nchar", "blob", "clob", "timestamptz", "datetime", "bytea", "bool",
))  # fmt: skip
_NO_LIST_ENDS = frozenset((
    TokenType.FROM, TokenType.WHERE, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.GROUP_BY,
    TokenType.ORDER_BY,
))  # fmt: skip
_QUERIES = ("SELECT", "VALUES", "TABLE", "WITH", "(")


def place(token: Any) -> tuple[int, int]:
    """Line and column where a token starts, from 1."""
    return token.line, token.col - (token.end - token.start)


def mismatched(token: Any, shown: str | None = None, ahead: int = 0) -> SqlRefused:
    line, column = place(token)
    return SqlRefused(f"mismatched input '{shown or token.text}'", line, column + ahead)


def check(tokens: Sequence[Any]) -> None:
    """Raises SqlRefused at the first token Trino would not take."""
    limits: list[bool] = [False]  # has LIMIT been seen, by depth of parentheses
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        kind = token.token_type
        if kind == TokenType.L_PAREN:
            limits.append(False)
        elif kind == TokenType.R_PAREN and len(limits) > 1:
            limits.pop()
        elif kind == TokenType.LIMIT:
            limits[-1] = True
        elif kind in (TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT, TokenType.SEMICOLON):
            limits[-1] = False
        elif kind == TokenType.OFFSET and limits[-1] and _counts(following):
            raise mismatched(token, token.text)
        elif kind == TokenType.EQ and token.text == "==":
            raise mismatched(token, "=", 1)
        if following is None:
            continue
        if kind == TokenType.COMMA and following.token_type in _NO_LIST_ENDS:
            raise mismatched(following)
        if kind == TokenType.SELECT and following.token_type in _NO_LIST_ENDS:
            raise mismatched(following)
        if kind == TokenType.INTERVAL and following.token_type == TokenType.NUMBER:
            raise mismatched(following)
        if kind == TokenType.ALIAS:
            _check_type(tokens, at)
        if kind == TokenType.STAR and following.token_type == TokenType.EXCEPT:
            _check_except(tokens, at + 2)


def _counts(token: Any) -> bool:
    return token is not None and token.token_type in (TokenType.NUMBER, TokenType.PLACEHOLDER)


def _check_except(tokens: Sequence[Any], at: int) -> None:
    """`SELECT * EXCEPT (a)` is another database's."""
    if len(tokens) > at + 1 and tokens[at].token_type == TokenType.L_PAREN:
        inside = tokens[at + 1]
        if inside.text.upper() not in _QUERIES:
            raise mismatched(inside)


def _check_type(tokens: Sequence[Any], at: int) -> None:
    """CAST(x AS string): the type is unknown at the cast."""
    opened, start = 0, at
    while start > 0:
        start -= 1
        kind = tokens[start].token_type
        opened += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if opened > 0:
            break
    if opened < 1 or start == 0 or tokens[start - 1].text.upper() not in ("CAST", "TRY_CAST"):
        return
    depth, shown = 0, ""
    foreign = False
    for place_, token in enumerate(tokens[at + 1 :], at + 1):
        kind = token.token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth < 0:
            break
        ends = place_ + 1 < len(tokens) and tokens[place_ + 1].text in (")", ",", "(")
        foreign = foreign or (token.text.lower() in _FOREIGN_TYPES and ends)
        shown += token.text.lower()
    if foreign:
        line, column = place(tokens[start - 1])
        raise SqlRefused(f"Unknown type: {shown.replace(',', ', ')}", line, column, "TYPE_MISMATCH")
