"""How the server is started: private, small, and for root too where there is nobody else."""

from __future__ import annotations

import json
from pathlib import Path

from services.opensearch.server import Server, prepare


def server(folder: Path) -> Server:
    (folder / "home" / "lib").mkdir(parents=True)
    for name in ("b.jar", "a.jar", "notes.txt"):
        (folder / "home" / "lib" / name).touch()
    return Server(
        home=folder / "home",
        data=folder / "data",
        java=Path("/jre/bin/java"),
        port=9200,
        transport_port=9300,
    )


def test_it_listens_on_this_machine_alone_and_writes_below_its_folder(tmp_path: Path) -> None:
    prepare(server(tmp_path))
    settings = json.loads((tmp_path / "data" / "config" / "opensearch.yml").read_text())
    assert settings["network.host"] == "127.0.0.1"
    assert settings["node.store.allow_mmap"] is False
    paths = [settings["path.data"], settings["path.logs"], *settings["path.repo"]]
    assert all(Path(path).is_relative_to(tmp_path / "data") for path in paths)
    assert all(Path(path).is_dir() for path in paths)


def test_the_class_path_has_a_fixed_order(tmp_path: Path) -> None:
    command = server(tmp_path).command(as_root=False)
    lib = tmp_path / "home" / "lib"
    assert command[command.index("-cp") + 1] == f"{lib / 'a.jar'}:{lib / 'b.jar'}"


def test_only_roots_server_runs_without_jna(tmp_path: Path) -> None:
    made = server(tmp_path)
    assert "-Djna.noclasspath=true" in made.command(as_root=True)
    assert "-Djna.noclasspath=true" not in made.command(as_root=False)


def test_the_heap_is_what_was_asked_for(tmp_path: Path) -> None:
    assert {"-Xms512m", "-Xmx512m"} <= set(server(tmp_path).command())
