"""Many small objects in few files: the same rows, and nothing that names an object changes."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from services.athena.object_packs import PACK_BYTES, PACK_OBJECTS, packs
from services.athena.object_store import StoredObject
from tests.services.athena.conftest import AthenaInMemory

TABLE = """CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (day string)
    ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://lake/t/'"""
OBJECTS = st.lists(
    st.tuples(st.integers(1, 3 << 20), st.sampled_from(("", ".gz", ".zst")), st.booleans()),
    max_size=400,
)


@given(OBJECTS)
def test_packs_keep_every_object_in_order_and_within_their_limits(
    drawn: list[tuple[int, str, bool]],
) -> None:
    wanted = [
        (StoredObject("lake", f"{i:04d}.json{suffix}", size, f"{i}"), [("day", str(later))])
        for i, (size, suffix, later) in enumerate(drawn)
    ]
    found = list(packs(wanted))
    assert [each for pack in found for each in pack] == wanted
    for pack in found:
        assert len(pack) <= PACK_OBJECTS
        assert len(pack) == 1 or sum(each.size for each, _ in pack) <= PACK_BYTES
        assert len({str(day) for _, day in pack}) == 1


def test_small_objects_give_all_their_rows_whether_or_not_their_last_line_ends(
    athena: AthenaInMemory,
) -> None:
    athena.run(TABLE)
    for day in ("1", "2"):
        for number in range(40):
            line = f'{{"a": {number}}}' + ("\n" if number % 2 else "")
            suffix, body = (".json.gz", gzip.compress(line.encode())) if number % 3 else ("", line)
            athena.put(f"t/day={day}/{number:03d}{suffix}", body)
    athena.run("MSCK REPAIR TABLE t")
    sums = athena.rows("SELECT day, count(*), sum(a) FROM t GROUP BY day ORDER BY day")
    assert sums == [["1", "40", "780"], ["2", "40", "780"]]
    assert athena.rows('SELECT count(DISTINCT "$path") FROM t') == [["80"]]
    athena.put("t/day=2/100.json", '{"a": 1000}')
    assert athena.rows("SELECT sum(a) FROM t") == [["2560"]]


def test_every_row_knows_its_objects_size_and_time(athena: AthenaInMemory) -> None:
    athena.run(TABLE)
    for number in range(20):
        athena.put(f"t/day=1/{number:03d}.json", f'{{"a": {number}}}\n{{"a": 0}}')
    athena.run("MSCK REPAIR TABLE t")
    sizes = athena.rows(
        'SELECT "$file_size", year("$file_modified_time"), count(*) FROM t GROUP BY 1, 2 ORDER BY 1'
    )
    assert sizes == [["17", "1970", "20"], ["18", "1970", "20"]]
