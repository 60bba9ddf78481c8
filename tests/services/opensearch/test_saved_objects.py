"""The saved objects are whole: each reference leads somewhere, each field is in a template."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.opensearch import saved_objects
from services.opensearch.cluster import pipelines, templates
from services.opensearch.dashboards import LANDING, SAVED_OBJECTS
from services.opensearch.dashboards import saved_objects as read

OBJECTS = read()
KINDS = ("index-pattern", "visualization", "dashboard")
#: What Dashboards needs of each kind to show it at all.
REQUIRED = {
    "index-pattern": {"title", "timeFieldName"},
    "visualization": {"title", "visState", "uiStateJSON", "kibanaSavedObjectMeta", "version"},
    "dashboard": {"title", "panelsJSON", "optionsJSON", "timeRestore", "timeFrom", "timeTo"},
}


def of(kind: str) -> list[dict[str, Any]]:
    return [o for o in OBJECTS if o["type"] == kind]


def state_of(panel: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(panel["attributes"]["visState"])
    return state


def test_the_file_is_what_its_descriptions_say() -> None:
    command = "python -m services.opensearch.saved_objects"
    assert SAVED_OBJECTS.read_text() == saved_objects.ndjson(), command


def test_every_object_has_what_its_kind_needs() -> None:
    assert {o["type"] for o in OBJECTS} == set(KINDS)
    for found in OBJECTS:
        assert REQUIRED[found["type"]] <= found["attributes"].keys(), found["id"]
        assert found["type"] in found["migrationVersion"]


def test_ids_are_unique_and_references_lead_to_objects_before_them() -> None:
    seen: set[tuple[str, str]] = set()
    for found in OBJECTS:
        assert {(r["type"], r["id"]) for r in found["references"]} <= seen, found["id"]
        assert (found["type"], found["id"]) not in seen
        seen.add((found["type"], found["id"]))


def test_a_dashboard_s_panels_are_its_references_and_do_not_overlap() -> None:
    for board in of("dashboard"):
        panels = json.loads(board["attributes"]["panelsJSON"])
        names = [panel["panelRefName"] for panel in panels]
        assert names == [reference["name"] for reference in board["references"]]
        taken: set[tuple[int, int]] = set()
        for grid in (panel["gridData"] for panel in panels):
            cells = {
                (x, y)
                for x in range(grid["x"], grid["x"] + grid["w"])
                for y in range(grid["y"], grid["y"] + grid["h"])
            }
            assert not cells & taken
            assert max(x for x, _ in cells) < 48
            taken |= cells


def test_there_is_a_landing_dashboard_that_leads_to_the_others() -> None:
    boards = {board["id"] for board in of("dashboard")}
    assert LANDING in boards
    for other in boards - {LANDING}:
        assert f"#/view/{other})" in saved_objects.WELCOME


def fields_of(panel: dict[str, Any]) -> set[str]:
    return {a["params"]["field"] for a in state_of(panel)["aggs"] if "field" in a["params"]}


@pytest.mark.parametrize("panel", of("visualization"), ids=lambda panel: str(panel["id"]))
def test_a_panel_asks_for_fields_that_its_template_maps(panel: dict[str, Any]) -> None:
    if not panel["references"]:
        assert state_of(panel)["type"] == "markdown"
        return
    (reference,) = panel["references"]
    (pattern,) = [o for o in of("index-pattern") if o["id"] == reference["id"]]
    name = pattern["attributes"]["title"].removesuffix("*")
    mapped = templates()[name]["template"]["mappings"]["properties"]
    assert fields_of(panel) <= mapped.keys()
    assert mapped[pattern["attributes"]["timeFieldName"]]["type"] == "date"
    # Texts cannot be counted by value.
    assert all(mapped[field]["type"] != "text" for field in fields_of(panel))


def test_templates_name_pipelines_that_exist_and_indexes_of_one_node() -> None:
    for name, template in templates().items():
        assert template["index_patterns"] == [f"{name}*"]
        settings = template["template"]["settings"]
        assert settings["number_of_replicas"] == 0
        if pipeline := settings.get("index", {}).get("default_pipeline"):
            assert pipeline in pipelines()
