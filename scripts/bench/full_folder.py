"""Makes many things of one each in a data folder, in the form that engines write.

    .engine/venv/bin/python -m scripts.bench.full_folder FOLDER OBJECTS OTHERS FUNCTIONS QUERY

Run by `scripts.bench.full_start`, in the engine's environment, on a folder whose engine is down
and which holds one thing of each kind, called `SEED`. A copy has a name of the same length, so that
it is the same bytes with the name replaced; QUERY is the ID of the one query. Each object has a
body of its own, an empty file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.localstack.s3.journal import Journal, Row
from services.localstack.state import pickling

SEED = "seed-0000000"
BATCH = 10_000


def name(number: int) -> str:
    return f"seed-{number:07d}"


def copies(value: Any, count: int) -> Iterator[tuple[str, Any]]:
    """That many things like it, each of its own name."""
    written = pickling.dumps(value)
    for number in range(1, count):
        yield name(number), pickling.loads(written.replace(SEED.encode(), name(number).encode()))


def grow(value: Any, count: int, depth: int = 6) -> None:
    """Add the copies of what is called SEED, wherever it is within."""
    inner = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    for key, held in list(inner.items()) if depth else ():
        if isinstance(value, dict) and isinstance(key, str) and SEED in key:
            value.update(
                (key.replace(SEED, named), copied) for named, copied in copies(held, count)
            )
        elif not isinstance(held, str | bytes | int | float):
            grow(held, count, depth - 1)


def grow_service(file: Path, count: int) -> int:
    """How many bytes the service's state has then."""
    from services.localstack.state.own_rows import OWN_ROWS

    if (register := OWN_ROWS.get(file.stem)) is not None:
        register()
    with sqlite3.connect(file) as database:
        for row, content in database.execute("SELECT name, content FROM rows").fetchall():
            if row.startswith("store/"):
                store = pickling.loads(content)
                grow(store, count)
                database.execute(
                    "UPDATE rows SET content = ? WHERE name = ?", (pickling.dumps(store), row)
                )
        size = database.execute("SELECT sum(length(content)) FROM rows").fetchone()[0]
    database.close()
    return int(size or 0)


def grow_bucket(folder: Path, count: int) -> None:
    journal = Journal(folder / "journal.sqlite3")
    (seed,) = (row for row in journal.rows("object") if row.name == SEED)
    (body,) = seed.bodies
    for number in range(256):
        (folder / "bodies" / f"{number:02x}").mkdir(exist_ok=True)
    for first in range(1, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        journal.write(_object(seed, body, number) for number in numbers)
        for number in numbers:
            named = _body(body, number)
            os.close(os.open(folder / "bodies" / named[:2] / named, os.O_CREAT, 0o600))
    journal.close()


def _object(seed: Row, body: str, number: int) -> Row:
    own = _body(body, number)
    content = seed.content.replace(SEED.encode(), name(number).encode())
    return Row(
        "object", seed.bucket, name(number), content.replace(body.encode(), own.encode()), (own,)
    )


def _body(seed: str, number: int) -> str:
    """A thousand bodies after each other in one of 256 folders, as engines write them."""
    return f"{number // 1000 % 256:02x}{seed[2:-7]}{number:07d}"


def grow_code(folder: Path, count: int) -> None:
    """The unpacked code of functions; their archives are read again only when it is missing."""
    for code in list(folder.glob(f"lambda/code/*/{SEED}*")):
        for number in range(1, count):
            shutil.copytree(code, code.with_name(code.name.replace(SEED, name(number))))


def grow_table(file: Path, count: int, seed: str = SEED) -> None:
    """Rows of texts and numbers: Glue's catalog, Athena's history."""
    with sqlite3.connect(file) as database:
        for row in database.execute("SELECT * FROM thing").fetchall():
            if any(seed in value for value in row if isinstance(value, str)):
                marks = ", ".join("?" * len(row))
                database.executemany(
                    f"INSERT INTO thing VALUES ({marks})",
                    ([_renamed(v, seed, number) for v in row] for number in range(1, count)),
                )
    database.close()


def _renamed(value: Any, seed: str, number: int) -> Any:
    """The last seven characters are a number."""
    return value.replace(seed, f"{seed[:-7]}{number:07d}") if isinstance(value, str) else value


def main() -> None:
    folder, query = Path(sys.argv[1]), sys.argv[5]
    objects, others, functions = map(int, sys.argv[2:5])
    grow_bucket(folder / "s3", objects)
    grow_code(folder, functions)
    grow_table(folder / "glue" / "catalog.sqlite", others)
    grow_table(folder / "athena" / "state.sqlite", others, query)
    for file in sorted((folder / "state").glob("*.sqlite3")):
        size = grow_service(file, functions if file.stem == "lambda" else others)
        print(f"{file.stem}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
