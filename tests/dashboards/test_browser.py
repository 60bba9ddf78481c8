"""Every page in a real browser: live data, no error, nothing from outside, readable by all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.bench.dashboard import running_dashboard
from tests.conftest import EngineUnderTest
from tests.waiting import wait_until

PAGES = (
    "Overview",
    "Stream",
    "Lake",
    "SQL console",
    "Analytics",
    "Alarms and messages",
    "Proof",
)
#: Where pictures of all pages go when somebody wants them.
PICTURES = os.environ.get("RIACHO_PICTURES")


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's program. Debian's package `chromium`: no package registry has one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("RIACHO_BROWSER_TESTS") == "required":
        pytest.fail("There is no chromium here: apt-get install chromium.")
    if found is None:
        pytest.skip("There is no chromium here: apt-get install chromium.")
    return found


@pytest.fixture(scope="module")
def dashboard(engine: EngineUnderTest) -> Iterator[str]:
    """`riacho dashboard` on a free port; its address."""
    with running_dashboard(engine.endpoint_url) as (_, address):
        yield f"http://{address}"


@pytest.fixture
def page(chromium: str, dashboard: str) -> Iterator[tuple[Any, list[str]]]:
    """A browser's page at the dashboard, and what it complained about."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 720}, locale="en-US")
        opened.set_default_timeout(60_000)
        opened.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        opened.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((dashboard, "data:", "blob:", "ws://127.0.0.1"))
                else complaints.append(f"asked {request.url}")
            ),
        )
        opened.goto(dashboard)
        opened.wait_for_selector("h1")
        yield opened, complaints
        browser.close()


def turn_to(page: Any, name: str) -> None:
    """Click the page's name and wait until it has been drawn."""
    page.get_by_role("link", name=name).first.click()
    page.wait_for_function("name => document.querySelector('h1')?.innerText === name", arg=name)
    page.wait_for_selector('[data-test-script-state="notRunning"]', state="attached")


def serious_findings(page: Any) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical: rule and elements. Lesser ones are Streamlit's own."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        (finding["id"], [node["html"][:200] for node in finding["nodes"]])
        for finding in Axe().run(page).response["violations"]
        if finding["impact"] in ("serious", "critical")
    ]


@pytest.mark.slow
def test_all_pages_show_live_data_and_nobody_is_shut_out(
    page: tuple[Any, list[str]], lake: str
) -> None:
    opened, complaints = page
    for name in PAGES:
        turn_to(opened, name)
        if name == "Overview":
            opened.locator("svg text", has_text=lake).first.wait_for()
        assert opened.locator('[data-testid="stException"]').all_inner_texts() == [], name
        # While a page reads again its old parts are pale for a moment; what stays is a finding.
        wait_until(lambda: not serious_findings(opened), 60, every=0.5)
        if PICTURES:
            opened.screenshot(path=f"{PICTURES}/{name.split()[0].lower()}.png")
    assert complaints == []


def write(page: Any, statement: str) -> None:
    """Replace what stands in the editor."""
    page.locator(".sql-editor .ace_content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type(statement, delay=40)  # as people do: proposals follow single keys


@pytest.mark.slow
def test_a_query_is_typed_run_and_drawn(page: tuple[Any, list[str]], lake: str) -> None:
    opened, complaints = page
    turn_to(opened, "SQL console")
    opened.get_by_label("Database").click()
    opened.get_by_role("option", name=lake).click()
    write(opened, f'SELECT 1 FROM "{lake}"."raw"')
    opened.get_by_role("button", name="Run", exact=True).click()
    opened.get_by_text("3 rows").wait_for()
    write(opened, "SELECT dev")
    opened.locator(".ace_autocomplete .ace_line", has_text="device").first.wait_for()
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("Enter")
    opened.keyboard.type(f', COUNT(*) AS n FROM "{lake}"."raw" GROUP BY device')
    opened.keyboard.press("Control+Enter")
    opened.get_by_text("2 rows").wait_for()
    opened.get_by_role("tab", name="Pie: device × n").click()
    opened.locator('[data-testid="stVegaLiteChart"]:visible').first.wait_for()
    opened.locator(".sql-editor .ace_content").click()
    turn_to(opened, "Analytics")  # straight out of the editor
    opened.get_by_label("Table").first.wait_for()
    assert opened.locator("h1").inner_text() == "Analytics"
    assert complaints == []
