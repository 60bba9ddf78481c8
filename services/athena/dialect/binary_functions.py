"""Binary strings, hashes, encodings and bits of numbers."""

from __future__ import annotations

from services.athena import trino_types as t
from services.athena.dialect.functions import KNOWN_ONLY, overloads

V, VB, B, I, D = t.VARCHAR, t.VARBINARY, t.BIGINT, t.INTEGER, t.DOUBLE  # noqa: E741

overloads("to_hex", ([VB], V, "hex({0})"))
overloads(
    "from_hex",
    ([V], VB, "athena_bytes({0}, 'from_hex')"),
    ([VB], VB, "athena_bytes(decode({0}), 'from_hex')"),
)
overloads("to_base64", ([VB], V, "athena_encoded({0}, 'base64')"))
overloads(
    "from_base64",
    ([V], VB, "athena_bytes({0}, 'from_base64')"),
    ([VB], VB, "athena_bytes(decode({0}), 'from_base64')"),
)
overloads("to_base64url", ([VB], V, "athena_encoded({0}, 'base64url')"))
overloads(
    "from_base64url",
    ([V], VB, "athena_bytes({0}, 'from_base64url')"),
    ([VB], VB, "athena_bytes(decode({0}), 'from_base64url')"),
)
overloads("to_base32", ([VB], V, "athena_encoded({0}, 'base32')"))
overloads(
    "from_base32",
    ([V], VB, "athena_bytes({0}, 'from_base32')"),
    ([VB], VB, "athena_bytes(decode({0}), 'from_base32')"),
)
for _name in (
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "xxhash64",
    "murmur3",
    "spooky_hash_v2_32",
    "spooky_hash_v2_64",
):
    if _name.startswith("spooky"):
        KNOWN_ONLY.add(_name)
        continue
    overloads(_name, ([VB], VB, f"athena_digest({{0}}, '{_name}')"))
for _name in ("md5", "sha1", "sha256", "sha512"):
    overloads(f"hmac_{_name}", ([VB, VB], VB, f"athena_hmac({{0}}, {{1}}, '{_name}')"))
overloads("crc32", ([VB], B, "athena_crc32({0})"))
overloads("to_big_endian_32", ([I], VB, "athena_pack(CAST({0} AS BIGINT), 4)"))
overloads("to_big_endian_64", ([B], VB, "athena_pack({0}, 8)"))
overloads("from_big_endian_32", ([VB], I, "CAST(athena_unpack_integer({0}, 4) AS INTEGER)"))
overloads("from_big_endian_64", ([VB], B, "athena_unpack_integer({0}, 8)"))
overloads("to_ieee754_32", ([t.REAL], VB, "athena_pack_float(CAST({0} AS DOUBLE), 4)"))
overloads("to_ieee754_64", ([D], VB, "athena_pack_float({0}, 8)"))
overloads("from_ieee754_32", ([VB], t.REAL, "CAST(athena_unpack_float({0}, 4) AS FLOAT)"))
overloads("from_ieee754_64", ([VB], D, "CAST(athena_unpack_float({0}, 8) AS DOUBLE)"))
