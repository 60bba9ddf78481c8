"""What is unpacked of a release, and that a home is whole or not there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from services.opensearch.distribution import default_home, is_installed, unpack, wanted_name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("opensearch-3.8.0/lib/a.jar", "lib/a.jar"),
        ("opensearch-3.8.0/modules/reindex/x.jar", "modules/reindex/x.jar"),
        ("opensearch-3.8.0/modules/ingest-geoip/GeoLite2.mmdb", None),
        ("opensearch-3.8.0/modules/analysis-common/x.jar", None),
        ("opensearch-3.8.0/lib/tools/cli.jar", None),
        ("opensearch-3.8.0/../../etc/passwd", None),
        ("opensearch-3.8.0/", None),
    ],
)
def test_a_release_is_unpacked_without_what_is_not_needed(name: str, kept: str | None) -> None:
    assert wanted_name(name) == kept


def archive_of(folder: Path, *names: str) -> Path:
    with zipfile.ZipFile(folder / "release.zip", "w") as packed:
        for name in names:
            packed.writestr(name, name)
    return folder / "release.zip"


def test_a_home_is_whole_and_takes_the_place_of_a_broken_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "half").touch()
    assert not is_installed(home)
    unpack(archive_of(tmp_path, "o/lib/a.jar", "o/lib/tools/b.jar"), home)
    assert is_installed(home)
    assert {p.name for p in home.rglob("*.jar")} == {"a.jar"}
    assert not (home / "half").exists()


def test_an_archive_that_is_none_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "release.zip"
    broken.write_bytes(b"<html>proxy says no</html>")
    with pytest.raises(zipfile.BadZipFile):
        unpack(broken, tmp_path / "home" / "3.8.0")
    assert list((tmp_path / "home").iterdir()) == []


def test_releases_are_kept_in_the_users_cache() -> None:
    assert default_home({"XDG_CACHE_HOME": "/c"}).parts[:4] == ("/", "c", "riacho", "opensearch")
