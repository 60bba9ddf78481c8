"""JSON in Python: Trino prints keys in order and numbers as they came."""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from services.athena.python_errors import invalid_argument, trino_error
from services.athena.python_numbers import text_decimal
from services.athena.trino_types import Type


class _Number(float):
    """A fraction with the text it came with."""

    text: str

    def __new__(cls, text: str) -> _Number:
        found = super().__new__(cls, text)
        found.text = text
        return found


class JsonRefused(ValueError):
    """Not a JSON text."""


def _constant(text: str) -> Any:
    raise ValueError(text)


def loads(text: str, made: Any = None) -> Any:
    try:
        return json.loads(
            text, parse_float=_Number, parse_constant=_constant, object_pairs_hook=made
        )
    except (ValueError, RecursionError):
        raise JsonRefused(text) from None


def java_double(x: float) -> str:
    """Double.toString"""
    if x != x:
        return "NaN"
    if x in (float("inf"), float("-inf")):
        return "Infinity" if x > 0 else "-Infinity"
    if x == 0:
        return "-0.0" if str(x).startswith("-") else "0.0"
    size = abs(x)
    digits = repr(size)
    mantissa, _, power = digits.partition("e")
    whole, _, part = mantissa.partition(".")
    exponent = (
        int(power or 0) + len(whole.lstrip("0") or "") - 1
        if whole.strip("0")
        else int(power or 0) - (len(part) - len(part.lstrip("0")) + 1)
    )
    figures = (whole + part).lstrip("0").rstrip("0") or "0"
    sign = "-" if x < 0 else ""
    if 1e-3 <= size < 1e7:
        shown = f"{Decimal(digits):f}"
        return sign + (shown if "." in shown else shown + ".0")
    return f"{sign}{figures[0]}.{figures[1:] or '0'}E{exponent}"


def dumps(value: Any, *, ordered: bool = True) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, _Number):
        shown = java_double(float(value))
        return f'"{shown}"' if abs(value) == float("inf") else shown
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, dict):
        written = value.pairs if isinstance(value, _Object) else value.items()
        items = sorted(value.items()) if ordered else written
        return "{" + ",".join(quote(k) + ":" + dumps(v, ordered=ordered) for k, v in items) + "}"
    return "[" + ",".join(dumps(v, ordered=ordered) for v in value) + "]"


def quote(x: str) -> str:
    """A JSON string as Jackson writes it: what lies beyond 16 bits as two escapes."""
    return _BEYOND.sub(lambda found: json.dumps(found[0]).strip('"').upper().replace("U", "u"),
                       json.dumps(x, ensure_ascii=False))  # fmt: skip


_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def parse(x: str) -> str:
    try:
        return dumps(loads(x))
    except JsonRefused:
        raise invalid_argument(f"Cannot convert value to JSON: '{x[:200]}'") from None


class _Object(dict[str, Any]):
    """An object as it is written: a name that comes twice stays twice, its first value counts."""

    pairs: list[tuple[str, Any]]

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        self.pairs = pairs


def _quiet(x: str) -> Any:
    """The value as it is written, or a marker for a text that is no JSON."""
    try:
        return loads(x, _Object)
    except JsonRefused:
        return _BROKEN


_BROKEN = object()
_MISSING = object()


# --- the old paths: $.a["b"][0]


@lru_cache(2048)
def old_path(path: str) -> list[Any]:
    text = path.strip()
    if not text:
        raise invalid_argument(f"Invalid JSON path: '{path}'")
    steps: list[Any] = []
    if text[0] != "$":
        raise invalid_argument(f"Invalid JSON path: '{path}'")
    at = 1
    while at < len(text):
        found = re.compile(
            r"""\.(\*)|\.([^.\[\]"']+)|\.\"((?:[^"\\]|\\.)*)\"|\[\s*(\d+)\s*\]|\[\s*"((?:[^"\\]|\\.)*)"\s*\]|\[\s*'([^']*)'\s*\]|\[([^\]"'*]+)\]"""
        ).match(text, at)
        if not found:
            raise invalid_argument(f"Invalid JSON path: '{path}'")
        if found[1]:
            raise invalid_argument(f"Invalid JSON path: '{path}'")
        if found[4] is not None:
            steps.append(int(found[4]))
        else:
            name = next(
                g for g in (found[2], found[3], found[5], found[6], found[7]) if g is not None
            )
            steps.append(re.sub(r"\\(.)", r"\1", name))
        at = found.end()
    return steps


def _walk(value: Any, steps: list[Any]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(str(step), _MISSING)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        elif (
            isinstance(value, list)
            and isinstance(step, str)
            and step.isdigit()
            and int(step) < len(value)
        ):
            value = value[int(step)]
        else:
            return _MISSING
        if value is _MISSING:
            return _MISSING
    return value


def extract(x: str, path: str) -> str | None:
    steps = old_path(path)
    value = _quiet(x)
    if value is _BROKEN:
        return None
    found = _walk(value, steps)
    return None if found is _MISSING else dumps(found, ordered=False)


def extract_scalar(x: str, path: str) -> str | None:
    steps = old_path(path)
    value = _quiet(x)
    found = _MISSING if value is _BROKEN else _walk(value, steps)
    if found is _MISSING or found is None or isinstance(found, (dict, list)):
        return None
    return _scalar_text(found)


def _scalar_text(value: Any) -> str:
    if isinstance(value, _Number):
        return value.text
    return value if isinstance(value, str) else dumps(value)


def size(x: str, path: str) -> int | None:
    steps = old_path(path)
    value = _quiet(x)
    found = _MISSING if value is _BROKEN else _walk(value, steps)
    if found is _MISSING:
        return None
    if isinstance(found, _Object):
        return len(found.pairs)
    return len(found) if isinstance(found, list) else 0


def json_object(members: list[list[str] | None]) -> str:
    """JSON_OBJECT of names and JSON texts, in the order in which Java's HashMap gives them."""
    found: dict[str, str] = {}
    for member in members:
        if member is not None:
            found[member[0]] = member[1]
    size = 16
    while len(found) > size * 3 // 4:
        size *= 2
    names = sorted(found, key=lambda name: _java_bucket(name, size))
    return "{" + ",".join(f"{quote(name)}:{found[name]}" for name in names) + "}"


def _java_bucket(text: str, size: int) -> int:
    code = 0
    for unit in memoryview(text.encode("utf-16-le")).cast("H"):
        code = (31 * code + unit) & 0xFFFFFFFF
    return (code ^ (code >> 16)) & (size - 1)


def array_length(x: str) -> int | None:
    value = _quiet(x)
    return len(value) if isinstance(value, list) else None


def array_get(x: str, index: int) -> str | None:
    value = _quiet(x)
    if not isinstance(value, list) or not -len(value) <= index < len(value):
        return None
    found = value[index]
    if found is None:
        return None
    return found if isinstance(found, str) else dumps(found)


def array_contains(x: str, wanted: str, kind: str) -> bool | None:
    value = _quiet(x)
    if not isinstance(value, list):
        return None
    for item in value:
        if kind == "boolean" and isinstance(item, bool) and dumps(item) == wanted:
            return True
        if kind == "varchar" and isinstance(item, str) and item == wanted:
            return True
        if (
            kind == "bigint"
            and isinstance(item, int)
            and not isinstance(item, bool)
            and item == int(wanted)
        ):
            return True
        if (
            kind == "double"
            and isinstance(item, _Number)
            and float(item) == float(wanted)
            and abs(item) != float("inf")
        ):
            return True
    return False


def is_scalar(x: str) -> bool:
    value = _quiet(x)
    if value is _BROKEN:
        raise invalid_argument(f"Invalid JSON value: {x}")
    return not isinstance(value, (dict, list))


# --- casts


def scalar(x: str, kind: str) -> str | None:
    """A JSON scalar as the text of a SQL value of a type; null is NULL."""
    try:
        value = loads(x)
    except JsonRefused:
        raise _no_cast(x, kind) from None
    return _as(value, kind, x)


def _no_cast(x: Any, kind: str) -> ValueError:
    shown = x if isinstance(x, str) else java_double(x)
    named = "INT" if kind == "integer" else kind.upper()
    return trino_error("INVALID_CAST_ARGUMENT", f"Cannot cast '{shown[:100]}' to {named}")


def _as(value: Any, kind: str, x: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        raise trino_error(
            "INVALID_CAST_ARGUMENT",
            f"Cannot cast to {kind}. Unexpected token when cast to {kind}: {x[:100]}",
        )
    name = kind.split("(")[0]
    if name == "varchar":
        return _limited(value if isinstance(value, str) else _scalar_varchar(value), kind)
    if name == "boolean":
        if isinstance(value, float) and abs(value) == float("inf"):
            raise _no_cast(value, kind)
        if isinstance(value, str):
            if value.lower() in ("true", "t", "1"):
                return "true"
            if value.lower() in ("false", "f", "0"):
                return "false"
            raise _no_cast(value, kind)
        return "true" if value else "false"
    if name in ("tinyint", "smallint", "integer", "bigint"):
        return _as_integer(value, name, x)
    if name == "decimal":
        precision, scale = (int(n) for n in re.findall(r"\d+", kind))
        text = (
            value
            if isinstance(value, str)
            else (
                "1"
                if value is True
                else "0"
                if value is False
                else value.text
                if isinstance(value, _Number)
                else str(value)
            )
        )
        found = text_decimal(text, precision, scale)
        if found is None:
            shown = dumps(value)[:100]
            raise trino_error("INVALID_CAST_ARGUMENT", f"Cannot cast '{shown}' to {kind.upper()}")
        return found
    return _as_double(value, kind, x)


def _limited(text: str, kind: str) -> str:
    length = re.search(r"\d+", kind)
    if length and len(text) > int(length[0]):
        shown = base64.b64encode(text.encode()).decode()
        raise trino_error(
            "GENERIC_INTERNAL_ERROR",
            f"Character count exceeds length limit {length[0]}: base64:{shown}",
        )
    return text


def _scalar_varchar(value: Any) -> str:
    if isinstance(value, _Number):
        return scientific(float(value))
    return dumps(value)


def scientific(x: float) -> str:
    """As CAST(double AS varchar) writes it: `1.23E1`."""
    if x != x or x in (float("inf"), float("-inf")):
        return java_double(x)
    if x == 0:
        return "0E0"
    sign, digits, exponent = Decimal(repr(x)).as_tuple()
    figures = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) - 1 + int(exponent)
    return f"{'-' if sign else ''}{figures[0]}.{figures[1:] or '0'}E{power}"


def _as_integer(value: Any, name: str, x: str) -> str:
    bits = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}[name]
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?\d+", value):
            raise _no_cast(value, name)
        number = int(value)
    elif isinstance(value, bool):
        number = int(value)
    elif isinstance(value, _Number):
        if abs(value) == float("inf"):
            raise _no_cast(value, name)
        number = int(Decimal(value.text).quantize(Decimal(1), "ROUND_HALF_UP"))
    else:
        number = value
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise trino_error(
            "INVALID_CAST_ARGUMENT",
            f"Out of range for {name}: {x[:100]}",
        )
    return str(number)


def _as_double(value: Any, kind: str, x: str) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    try:
        return repr(float(value))
    except (ValueError, OverflowError):
        raise _no_cast(value, kind) from None


@lru_cache(512)
def _type_of(signature: str) -> Type:
    from services.athena.dialect.parsing import parse as parse_sql
    from services.athena.dialect.type_names import from_node

    tree = parse_sql(f"SELECT CAST(NULL AS {signature})")
    return from_node(tree.expressions[0].to, None, None)


def shape(x: str, signature: str) -> str | None:
    """JSON of any kind as the JSON that DuckDB's from_json reads for the type."""
    kind = _type_of(signature)
    try:
        value = loads(x)
    except JsonRefused:
        raise _no_cast(x, signature) from None
    if value is None:
        return None
    return json.dumps(_shaped(value, kind, x))


def _shaped(value: Any, kind: Type, x: str) -> Any:
    if kind.name == "json":
        return dumps(value)
    if value is None:
        return None
    if kind.name == "array":
        if not isinstance(value, list):
            raise trino_error(
                "INVALID_CAST_ARGUMENT",
                f"Cannot cast to {kind}. Expected a json array, but got {_opening(value)}\n{x[:100]}",
            )
        return [_shaped(item, kind.args[0], x) for item in value]
    if kind.name == "map":
        if not isinstance(value, dict):
            raise trino_error(
                "INVALID_CAST_ARGUMENT",
                f"Cannot cast to {kind}. Expected a json object, but got {_opening(value)}\n{x[:100]}",
            )
        pairs = [
            {"key": _key(k, kind.args[0], x), "value": _shaped(v, kind.args[1], x)}
            for k, v in value.items()
        ]
        if len({json.dumps(p["key"]) for p in pairs}) < len(pairs):
            raise trino_error(
                "INVALID_CAST_ARGUMENT", f"Cannot cast to {kind}. Duplicate keys are not allowed"
            )
        return pairs
    if kind.name == "row":
        return _row(value, kind, x)
    text = _as(value, str(kind), x)
    return text


def _key(text: str, kind: Type, x: str) -> Any:
    if kind.name in ("varchar", "char"):
        return text
    return _as(text, str(kind), x)


def _opening(value: Any) -> str:
    return (
        "{" if isinstance(value, dict) else "[" if isinstance(value, list) else _scalar_text(value)
    )


def _row(value: Any, kind: Type, x: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if isinstance(value, list):
        if len(value) != len(kind.args):
            raise trino_error(
                "INVALID_CAST_ARGUMENT",
                f"Cannot cast to {kind}. Expected a json array of {len(kind.args)} elements",
            )
        for place, (item, inner) in enumerate(zip(value, kind.args, strict=True), 1):
            out[f"f{place}"] = _shaped(item, inner, x)
        return out
    if not isinstance(value, dict):
        raise trino_error(
            "INVALID_CAST_ARGUMENT",
            f"Cannot cast to {kind}. Expected a json array or object, but got {_opening(value)}\n{x[:100]}",
        )
    if any(name is None for name in kind.fields):
        raise trino_error(
            "INVALID_CAST_ARGUMENT",
            f"Cannot cast to {kind}. Cannot cast a JSON object to anonymous row type. Input must be a JSON array.\n{x[:100]}",
        )
    by_name = {name.lower(): item for name, item in value.items()}
    for place, (name, inner) in enumerate(zip(kind.fields, kind.args, strict=True), 1):
        item = value.get(name or "", by_name.get((name or "").lower()))
        out[f"f{place}"] = _shaped(item, inner, x)
    return out


# --- the standard's functions: lax and strict paths


class PathRefused(ValueError):
    """Strict mode: the structure is not as the path says."""


def _evaluated(x: str, path: str, passed: str) -> list[Any]:
    """The items a path gives. Raises PathRefused, JsonRefused."""
    from services.athena.json_paths import evaluate

    return evaluate(loads(x) if x.strip() else None, path, loads(passed))


def exists(x: str, path: str, passed: str, on_error: str) -> bool | None:
    try:
        return len(_evaluated(x, path, passed)) > 0
    except (PathRefused, JsonRefused) as error:
        if on_error == "error":
            raise _not_evaluated(error) from None
        return {"true": True, "false": False}.get(on_error)


def _not_evaluated(error: Exception) -> ValueError:
    """The input is no JSON, or strict mode found another structure."""
    if isinstance(error, JsonRefused):
        return trino_error("JSON_INPUT_CONVERSION_ERROR", "conversion to JSON failed: ")
    return trino_error("PATH_EVALUATION_ERROR", "path evaluation failed")


_NOTHING, _SEVERAL = "JSON path found no items", "JSON path found multiple items"
_NO_SCALAR = "JSON path found an item that cannot be converted to an SQL value"


def _handled(how: str, error: Exception | str) -> str | None:
    if how == "error":
        if isinstance(error, Exception):
            raise _not_evaluated(error)
        raise trino_error("JSON_OUTPUT_CONVERSION_ERROR", f"conversion from JSON failed: {error}")
    return {"empty array": "[]", "empty object": "{}"}.get(how)


def query(
    x: str, path: str, passed: str, wrapper: str, quotes: str, on_empty: str, on_error: str
) -> str | None:
    try:
        items = _evaluated(x, path, passed)
    except (PathRefused, JsonRefused) as error:
        return _handled(on_error, error)
    if not items:
        return _handled(on_empty, _NOTHING)
    if wrapper == "always" or (
        wrapper == "conditional" and (len(items) > 1 or not isinstance(items[0], (dict, list)))
    ):
        return dumps(items, ordered=False)
    if len(items) > 1:
        return _handled(on_error, _SEVERAL)
    if quotes == "omit" and isinstance(items[0], str):
        return items[0]
    return dumps(items[0], ordered=False)


def value(x: str, path: str, passed: str, on_empty: str, on_error: str) -> list[str | None]:
    """[what it is, its text]: `value`, `empty`, `error` (a DEFAULT stands in), `null`."""
    try:
        items = _evaluated(x, path, passed)
    except (PathRefused, JsonRefused) as error:
        return _other(on_error, "error", error)
    if not items:
        return _other(on_empty, "empty", _NOTHING)
    if len(items) > 1 or isinstance(items[0], (dict, list)):
        return _other(on_error, "error", _SEVERAL if len(items) > 1 else _NO_SCALAR)
    if items[0] is None:
        return ["null", None]
    found = items[0]
    if isinstance(found, bool):
        return ["value", dumps(found), "boolean"]
    if isinstance(found, int) and -(2**63) <= found < 2**63:
        return ["value", str(found), "bigint"]
    if isinstance(found, (int, float)):
        return ["value", scientific(float(found)), "double"]
    return ["value", _scalar_text(found), "varchar"]


def _other(how: str, what: str, problem: Exception | str) -> list[str | None]:
    if how == "error":
        if isinstance(problem, Exception):
            raise _not_evaluated(problem)
        message = f"cannot extract SQL scalar from JSON: {problem}"
        raise trino_error("JSON_VALUE_RESULT_ERROR", message)
    return [what if how == "default" else "null", None]
