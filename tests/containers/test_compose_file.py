"""What the Compose file promises, read as Compose itself reads it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.localstack.environment import ROOT
from services.opensearch.distribution import VERSION

GIB = 2**30
ONE_SHOTS = {"provision", "opensearch-import", "dashboards-import", "reconcile"}
#: Started only when they are named.
ON_DEMAND = {"reconcile"}


def services(resolved: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = resolved["services"]
    assert {"localstack", "provision", "producer", "consumer", "dashboard"} <= set(found)
    return found


def test_every_port_is_published_on_this_machine_alone(resolved: dict[str, Any]) -> None:
    ports = [p for s in services(resolved).values() for p in s.get("ports", [])]
    assert len(ports) >= 2
    assert {p["host_ip"] for p in ports} == {"127.0.0.1"}


def test_no_service_has_dockers_socket_or_a_folder_of_this_machine(
    resolved: dict[str, Any],
) -> None:
    mounts = [v for s in services(resolved).values() for v in s.get("volumes", [])]
    assert {v["type"] for v in mounts} == {"volume"}
    assert not any("docker.sock" in str(v) for v in mounts)


def test_memory_of_the_default_set_is_limited_to_four_gibibytes(resolved: dict[str, Any]) -> None:
    limits = {
        name: int(s.get("mem_limit", 0))
        for name, s in services(resolved).items()
        if name not in ON_DEMAND
    }
    assert all(limits.values()), limits
    assert sum(limits.values()) <= 4 * GIB, limits


def test_images_are_pinned_and_containers_have_no_fixed_name(resolved: dict[str, Any]) -> None:
    for name, service in services(resolved).items():
        assert re.search(r":\d[\w.]+$", service["image"]), name
        assert "container_name" not in service, name
    froms = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all(re.search(r":\d[\w.-]+$", image) for image in froms), froms


def test_what_runs_for_long_is_checked_restarted_and_locked_down(resolved: dict[str, Any]) -> None:
    for name, service in services(resolved).items():
        assert "no-new-privileges:true" in service["security_opt"], name
        if name not in ONE_SHOTS:
            assert service["restart"] in {"unless-stopped", "on-failure"}, name
            assert service["healthcheck"]["test"], name


@pytest.mark.parametrize(
    "name", ["localstack", "provision", "producer", "clickstream", "consumer", "dashboard"]
)
def test_our_own_images_run_on_a_read_only_root(resolved: dict[str, Any], name: str) -> None:
    assert services(resolved)[name]["read_only"] is True


def test_opensearch_needs_no_setting_of_the_hosts_kernel(resolved: dict[str, Any]) -> None:
    settings = services(resolved)["opensearch"]["environment"]
    assert settings["node.store.allow_mmap"] == "false"
    assert settings["discovery.type"] == "single-node"


def test_opensearch_and_its_dashboards_have_one_release(resolved: dict[str, Any]) -> None:
    images = [services(resolved)[n]["image"] for n in ("opensearch", "opensearch-dashboards")]
    assert {image.partition(":")[2] for image in images} == {VERSION}


def test_every_variable_of_the_file_stands_in_env(resolved: dict[str, Any]) -> None:
    written = set(re.findall(r"^(\w+)=", (ROOT / ".env").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert used == written - {"COMPOSE_PROFILES"}
    assert "COMPOSE_PROFILES" in written
