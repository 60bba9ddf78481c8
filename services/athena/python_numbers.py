"""Numbers in Python: exact decimals, Java's rounding, bits, distributions."""

from __future__ import annotations

import decimal
import itertools
import math
import statistics
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from services.athena.python_errors import invalid_argument, trino_error

_EXACT = decimal.Context(prec=120, rounding=ROUND_HALF_UP)


def _fitted(value: Decimal, precision: int, scale: int) -> str:
    rounded = _EXACT.quantize(value, Decimal(1).scaleb(-scale))
    if rounded and rounded.adjusted() + 1 + scale > precision:
        raise trino_error("NUMERIC_VALUE_OUT_OF_RANGE", "Decimal overflow")
    return f"{rounded:f}"


def decimal_operation(x: str, operator: str, y: str, precision: int, scale: int) -> str:
    a, b = Decimal(x), Decimal(y)
    match operator:
        case "+":
            result = _EXACT.add(a, b)
        case "-":
            result = _EXACT.subtract(a, b)
        case "*":
            result = _EXACT.multiply(a, b)
        case "/":
            if not b:
                raise trino_error("DIVISION_BY_ZERO", "Division by zero")
            result = _EXACT.divide(a, b)
        case _:
            if not b:
                raise trino_error("DIVISION_BY_ZERO", "Division by zero")
            result = _EXACT.remainder(a, b)
    return _fitted(result, precision, scale)


def text_decimal(x: str, precision: int, scale: int) -> str | None:
    """A number's text to a scale, half up; None where it is none or does not fit."""
    try:
        value = Decimal(x.strip())
    except decimal.InvalidOperation:
        return None
    if not value.is_finite() or "_" in x:
        return None
    if value and value.adjusted() + scale > precision:
        return None
    rounded = _EXACT.quantize(value, Decimal(1).scaleb(-scale))
    if rounded and rounded.adjusted() + 1 + scale > precision:
        return None
    return f"{rounded:f}"


def double_decimal(x: float, precision: int, scale: int) -> str | None:
    return text_decimal(repr(x), precision, scale) if math.isfinite(x) else None


def round_digits(x: str, digits: int, scale: int) -> str:
    value = Decimal(x)
    if digits >= scale:
        return x
    return f"{_EXACT.quantize(_EXACT.quantize(value, Decimal(1).scaleb(-digits)), Decimal(1).scaleb(-scale)):f}"


def cut_digits(x: str, digits: int) -> str:
    value = Decimal(x)
    places = -(value.as_tuple().exponent)  # type: ignore[operator]
    if digits >= places:
        return x
    context = decimal.Context(prec=120, rounding=ROUND_DOWN)
    return f"{context.quantize(context.quantize(value, Decimal(1).scaleb(-digits)), Decimal(1).scaleb(-places)):f}"


def round_double(x: float, digits: int) -> float:
    if not math.isfinite(x):
        return x
    factor = math.pow(10, max(-300, min(300, digits)))
    scaled = abs(x) * factor
    if scaled >= 9e15:
        return x
    return math.copysign(math.floor(scaled + 0.5) / factor, x)


def round_real(x: float, digits: int) -> float:
    if not math.isfinite(x):
        return x
    import numpy

    return float(_EXACT.quantize(Decimal(str(numpy.float32(x))), Decimal(1).scaleb(-digits)))


def round_integer(x: int, digits: int) -> int:
    if digits >= 0:
        return x
    step = 10 ** (-digits)
    if step >= 2**63:
        raise trino_error("NUMERIC_VALUE_OUT_OF_RANGE", f"numerical overflow: {x}")
    sign = -1 if x < 0 else 1
    return int(sign * ((abs(x) + step // 2) // step * step))


def seven_digits(x: float) -> str:
    """A real's text with at most seven figures."""
    if not math.isfinite(x):
        return "0"
    if not x:
        return "0.0"
    figures, _, power = f"{x:.6e}".partition("e")
    return f"{figures.rstrip('0').rstrip('.')}e{int(power)}"


def from_base(x: str, base: int) -> int:
    if not 2 <= base <= 36:
        raise invalid_argument("Radix must be between 2 and 36")
    try:
        value = int(x, base)
    except ValueError:
        raise invalid_argument(f"Not a valid base-{base} number: {x}") from None
    if not -(2**63) <= value < 2**63 or "_" in x or x != x.strip():
        raise invalid_argument(f"Not a valid base-{base} number: {x}")
    return value


def to_base(x: int, base: int) -> str:
    if not 2 <= base <= 36:
        raise invalid_argument("Radix must be between 2 and 36")
    digits, size = "0123456789abcdefghijklmnopqrstuvwxyz", abs(x)
    out = ""
    while size:
        size, place = divmod(size, base)
        out = digits[place] + out
    return ("-" if x < 0 else "") + (out or "0")


def bit_count(x: int, bits: int) -> int:
    if not 2 <= bits <= 64:
        raise invalid_argument(
            "Bits specified in bit_count must be between 2 and 64, got " + str(bits)
        )
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if not low <= x <= high:
        raise invalid_argument(
            f"Number must be representable with the bits specified. {x} can not be represented with {bits} bits"
        )
    return (x & ((1 << bits) - 1)).bit_count()


def _signed(x: int, bits: int) -> int:
    x &= (1 << bits) - 1
    return x - (1 << bits) if x >> (bits - 1) else x


def _shift(n: int, bits: int) -> int:
    """How far Java shifts for a negative count: a bigint by its last six bits, others out."""
    return n if n >= 0 else n & 63 if bits == 64 else bits


def shift_left(x: int, n: int, bits: int) -> int:
    n = _shift(n, bits)
    return 0 if n >= bits else _signed(x << n, bits)


def shift_right(x: int, n: int, bits: int) -> int:
    n = _shift(n, bits)
    return 0 if n >= bits else _signed((x & ((1 << bits) - 1)) >> n, bits)


def shift_signed(x: int, n: int, bits: int) -> int:
    n = _shift(n, bits)
    return (-1 if x < 0 else 0) if n >= bits else x >> n


def bucket_of(x: float, bins: list[float | None]) -> int:
    if not bins:
        raise invalid_argument("Bins cannot be an empty array")
    if math.isnan(x):
        raise invalid_argument("Operand cannot be NaN")
    numbers = [b for b in bins if b is not None]
    if len(numbers) < len(bins) or any(not math.isfinite(b) for b in numbers):
        raise invalid_argument("Bin value must be finite")
    if any(a >= b for a, b in itertools.pairwise(numbers)):
        raise invalid_argument("Bin values are not sorted in ascending order")
    return sum(1 for b in numbers if x >= b)


def width_bucket(x: float, low: float, high: float, count: int) -> int:
    if count <= 0:
        raise invalid_argument("bucketCount must be greater than 0")
    if math.isnan(x):
        raise invalid_argument("operand must not be NaN")
    if not math.isfinite(low):
        raise invalid_argument("first bound must be finite")
    if not math.isfinite(high):
        raise invalid_argument("second bound must be finite")
    if low == high:
        raise invalid_argument("bounds cannot equal each other")
    first, last = min(low, high), max(low, high)
    if x < first:
        result = 0
    elif x >= last:
        result = count + 1
        if result >= 2**63:
            raise trino_error("NUMERIC_VALUE_OUT_OF_RANGE", f"Bucket for value {x} is out of range")
    else:
        result = int(count * (x - first) / (last - first)) + 1
    return count - result + 1 if low > high else result


def combinations(size: int, n: int) -> list[list[int]]:
    if n < 0:
        raise invalid_argument("combination size must not be negative: " + str(n))
    if n > 5:
        raise invalid_argument("combination size must not exceed 5: " + str(n))
    # Trino's order: the last positions move slowest.
    return [
        list(c)
        for c in sorted(itertools.combinations(range(1, size + 1), n), key=lambda c: c[::-1])
    ]


def normal_cdf(mean: float, deviation: float, x: float) -> float:
    if deviation <= 0:
        raise invalid_argument("standardDeviation must be > 0")
    return 0.5 * math.erfc(-(x - mean) / (deviation * math.sqrt(2)))


def inverse_normal_cdf(mean: float, deviation: float, p: float) -> float:
    if not 0 < p < 1:
        raise invalid_argument("p must be 0 > p > 1")
    if deviation <= 0:
        raise invalid_argument("sd must be > 0")
    return statistics.NormalDist(mean, deviation).inv_cdf(p)


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny, c, d = 1e-300, 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    h = d
    for m in range(1, 500):
        for numerator in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                          -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):  # fmt: skip
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + numerator / c
            c = c if abs(c) > tiny else tiny
            h *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return h


def beta_cdf(a: float, b: float, x: float) -> float:
    if not 0 <= x <= 1:
        raise invalid_argument("value must be in the interval [0, 1]")
    if a <= 0 or b <= 0:
        raise invalid_argument(f"{'a' if a <= 0 else 'b'} must be > 0")
    if x in (0.0, 1.0):
        return x
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def inverse_beta_cdf(a: float, b: float, p: float) -> float:
    if not 0 <= p <= 1:
        raise invalid_argument("p must be in the interval [0, 1]")
    if a <= 0 or b <= 0:
        raise invalid_argument(f"{'a' if a <= 0 else 'b'} must be > 0")
    if p in (0.0, 1.0):
        return p
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if beta_cdf(a, b, middle) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_cdf(df: float, x: float) -> float:
    half = 0.5 * beta_cdf(df / 2, 0.5, df / (df + x * x))
    return 1 - half if x > 0 else half


def t_pdf(df: float, x: float) -> float:
    front = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    return front * math.pow(1 + x * x / df, -(df + 1) / 2)


def wilson(successes: int, trials: int, z: float, sign: int) -> float:
    if successes < 0 or trials <= 0 or successes > trials or z < 0:
        raise invalid_argument("number of successes must not be negative, trials must be positive")
    n, p = trials, successes / trials
    return (p + z * z / (2 * n) + sign * z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (
        1 + z * z / n
    )
