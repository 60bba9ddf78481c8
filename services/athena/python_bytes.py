"""Binary strings in Python: encodings, hashes, packed numbers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac as hmac_module
import itertools
import re
import struct
import zlib

from services.athena.python_errors import invalid_argument

_MASK = (1 << 64) - 1


def encoded(x: bytes, how: str) -> str:
    return {
        "base64": base64.b64encode,
        "base64url": base64.urlsafe_b64encode,
        "base32": base64.b32encode,
    }[how](x).decode()


def bytes_(x: str, how: str) -> bytes:
    try:
        match how:
            case "from_hex":
                return bytes.fromhex(x) if not re.search(r"\s", x) else _no_hex(x)
            case "from_base64":
                return base64.b64decode(x + "=" * (-len(x) % 4), validate=True)
            case "from_base64url":
                return base64.b64decode(
                    x.replace("-", "+").replace("_", "/") + "=" * (-len(x) % 4), validate=True
                )
            case _:
                clean = x.rstrip("=")
                return base64.b32decode(clean + "=" * (-len(clean) % 8))
    except (ValueError, binascii.Error) as error:
        raise invalid_argument(f"{how.removeprefix('from_')}: {error}") from None


def _no_hex(x: str) -> bytes:
    raise ValueError(f"non-hexadecimal character in {x!r}")


def digest(x: bytes, how: str) -> bytes:
    if how == "xxhash64":
        return _xxhash64(x).to_bytes(8, "big")
    if how == "murmur3":
        return _murmur3(x)
    return hashlib.new(how, x, usedforsecurity=False).digest()


def hmac(x: bytes, key: bytes, how: str) -> bytes:
    return hmac_module.new(key, x, how).digest()


def crc32(x: bytes) -> int:
    return zlib.crc32(x)


def _rotated(x: int, n: int) -> int:
    return ((x << n) | (x >> (64 - n))) & _MASK


def _xxhash64(data: bytes, seed: int = 0) -> int:
    """https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md"""
    p1, p2, p3, p4, p5 = (
        0x9E3779B185EBCA87,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5,
    )

    def one(acc: int, lane: int) -> int:
        return (_rotated((acc + lane * p2) & _MASK, 31) * p1) & _MASK

    at, size = 0, len(data)
    if size >= 32:
        v = [(seed + p1 + p2) & _MASK, (seed + p2) & _MASK, seed, (seed - p1) & _MASK]
        while at + 32 <= size:
            for i in range(4):
                v[i] = one(v[i], int.from_bytes(data[at + 8 * i : at + 8 * i + 8], "little"))
            at += 32
        h = sum(_rotated(x, n) for x, n in zip(v, (1, 7, 12, 18), strict=True)) & _MASK
        for x in v:
            h = ((h ^ one(0, x)) * p1 + p4) & _MASK
    else:
        h = (seed + p5) & _MASK
    h = (h + size) & _MASK
    while at + 8 <= size:
        h = (
            _rotated(h ^ one(0, int.from_bytes(data[at : at + 8], "little")), 27) * p1 + p4
        ) & _MASK
        at += 8
    if at + 4 <= size:
        h = (
            _rotated(h ^ (int.from_bytes(data[at : at + 4], "little") * p1 & _MASK), 23) * p2 + p3
        ) & _MASK
        at += 4
    for byte in data[at:]:
        h = (_rotated(h ^ (byte * p5 & _MASK), 11) * p1) & _MASK
    h = ((h ^ (h >> 33)) * p2) & _MASK
    h = ((h ^ (h >> 29)) * p3) & _MASK
    return h ^ (h >> 32)


def _murmur3(data: bytes) -> bytes:
    """MurmurHash3 x64 128 bits, seed 0."""
    c1, c2, h1, h2 = 0x87C37B91114253D5, 0x4CF5AD432745937F, 0, 0

    def mixed(k: int, a: int, r: int, b: int) -> int:
        return _rotated(k * a & _MASK, r) * b & _MASK

    blocks = len(data) // 16
    for i in range(blocks):
        k1, k2 = struct.unpack_from("<QQ", data, 16 * i)
        h1 = (_rotated(h1 ^ mixed(k1, c1, 31, c2), 27) + h2) & _MASK
        h1 = (h1 * 5 + 0x52DCE729) & _MASK
        h2 = (_rotated(h2 ^ mixed(k2, c2, 33, c1), 31) + h1) & _MASK
        h2 = (h2 * 5 + 0x38495AB5) & _MASK
    tail = data[16 * blocks :]
    if len(tail) > 8:
        h2 ^= mixed(int.from_bytes(tail[8:], "little"), c2, 33, c1)
    if tail:
        h1 ^= mixed(int.from_bytes(tail[:8], "little"), c1, 31, c2)
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK

    def final(k: int) -> int:
        k = (k ^ (k >> 33)) * 0xFF51AFD7ED558CCD & _MASK
        k = (k ^ (k >> 33)) * 0xC4CEB9FE1A85EC53 & _MASK
        return k ^ (k >> 33)

    h1, h2 = final(h1), final(h2)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    return struct.pack("<QQ", h1, h2)


def pack(x: int, size: int) -> bytes:
    return x.to_bytes(size, "big", signed=True)


def unpack_integer(x: bytes, size: int) -> int:
    if len(x) != size:
        raise invalid_argument(f"expected {size}-byte input, but got instead: {len(x)}")
    return int.from_bytes(x, "big", signed=True)


def pack_float(x: float, size: int) -> bytes:
    return struct.pack(">f" if size == 4 else ">d", x)


def unpack_float(x: bytes, size: int) -> str:
    """As text: a NaN that leaves Python arrives as NULL."""
    if len(x) != size:
        raise invalid_argument(f"Input floating-point value must be exactly {size} bytes long")
    return repr(struct.unpack(">f" if size == 4 else ">d", x)[0])


def substr_binary(
    x: bytes | None, start: int | None, size: int | None, sized: bool
) -> bytes | None:
    if x is None or start is None or (sized and size is None):
        return None
    if start == 0 or abs(start) > len(x) or (size is not None and size <= 0):
        return b""
    first = start - 1 if start > 0 else len(x) + start
    return x[first:] if size is None else x[first : first + size]


def pad_binary(x: bytes, size: int, fill: bytes, left: bool) -> bytes:
    if not 0 <= size <= 2**31 - 1:
        raise invalid_argument(f"Target length must be in the range [0..{2**31 - 1}]")
    if not fill:
        raise invalid_argument("Padding bytes must not be empty")
    if size <= len(x):
        return x[:size]
    more = bytes(itertools.islice(itertools.cycle(fill), size - len(x)))
    return more + x if left else x + more


def reverse_binary(x: bytes) -> bytes:
    return x[::-1]
