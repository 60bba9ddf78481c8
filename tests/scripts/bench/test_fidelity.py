"""The table of contracts: out of pytest's reports, into the page."""

from __future__ import annotations

from pathlib import Path

from scripts.bench.fidelity import BEGIN, END, column, read, read_page, sentences, table, write

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.contract.kinesis.test_records" name="test_a_page_ends[2]" />
<testcase classname="tests.contract.kinesis.test_records" name="test_a_page_ends[3]">
  <failure message="no">no</failure></testcase>
<testcase classname="tests.contract.kinesis.test_streams" name="test_a_name_is_unique" />
<testcase classname="tests.contract.kinesis.test_streams" name="test_time_moves">
  <skipped type="pytest.skip" message="no clock" /></testcase>
<testcase classname="tests.contract.kinesis.test_streams" name="test_a_gap">
  <skipped type="pytest.xfail" message="why" /></testcase>
<testcase name="" time="0.1"><error message="interrupted" /></testcase>
</testsuite></testsuites>"""


def test_a_report_becomes_a_table(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    found = read(report)

    printed = table({"ours": column(found), "other": {}})

    assert sentences(found) == {
        ("kinesis: records", "a page ends"): "1 of 2",
        ("kinesis: streams", "a name is unique"): "✓",
        ("kinesis: streams", "time moves"): "–",
        ("kinesis: streams", "a gap"): "known gap",
    }
    assert "| **kinesis: records** | 1 of 2 | – |" in printed
    assert "| **kinesis: streams** | 1 of 2 | – |" in printed
    assert "| a name is unique | ✓ | – |" in printed


def test_only_the_table_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write(page, "new")
    write(page, "newer")

    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"


def test_what_the_page_says_of_others_stays(tmp_path: Path) -> None:
    report, page = tmp_path / "report.xml", tmp_path / "page.md"
    report.write_text(REPORT)
    page.write_text(f"{BEGIN}\n{END}\n")
    found = column(read(report))
    write(page, table({"riacho": found, "moto": {"kinesis: records": found["kinesis: records"]}}))

    columns = read_page(page.read_text())

    assert columns["riacho"] == found
    assert list(columns["moto"]) == ["kinesis: records"]
    assert columns["localstack"] == {}
    assert read_page(f"{BEGIN}\n{table(columns)}\n{END}") == columns
