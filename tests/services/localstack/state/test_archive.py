"""A saved state loads elsewhere; what is no archive, or wants out of its folder, is refused."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from services.localstack.state import archive
from services.localstack.state.archive import ArchiveRefused

MADE_BY = {"localstack-core": "4.14.0"}
NOBODY = 65534
#: What of `data` is state.
SAVED = {name: name for name in ("state/sqs.rows", "s3/bodies/ab/abc")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in ("state/sqs.rows", "s3/bodies/ab/abc", "tmp/x", "engine.log", "state/a-shm"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "state" / "outside").symlink_to("/etc/passwd")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*") if f.is_file()}


def test_what_is_saved_loads_into_another_folder(data: Path, tmp_path: Path) -> None:
    saved = archive.save(data, tmp_path / "lab.tgz", MADE_BY)
    assert (tmp_path / "lab.tgz").stat().st_mode & 0o777 == 0o600
    assert archive.load(tmp_path / "lab.tgz", tmp_path / "other", MADE_BY) == saved
    assert content(tmp_path / "other") == SAVED
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700


def test_a_load_may_replace_what_is_there(data: Path, tmp_path: Path) -> None:
    archive.save(data, tmp_path / "lab.tgz", MADE_BY)
    (data / "state" / "later").write_text("x")
    archive.load(tmp_path / "lab.tgz", data, MADE_BY, replace=True)
    assert not (data / "state" / "later").exists()
    assert (data / "engine.log").exists()


def test_a_reset_removes_the_state_alone(data: Path) -> None:
    assert archive.has_state(data)
    archive.reset(data)
    assert not archive.has_state(data)
    assert set(content(data)) == {"tmp/x", "engine.log"}


def written(
    file: Path, members: list[tuple[tarfile.TarInfo, bytes]], manifest: dict[str, Any] | None = None
) -> Path:
    told = {"format": 1, "made_by": MADE_BY, "saved_at": 0.0, "files": 1, "bytes": 100}
    with tarfile.open(file, "w:gz") as tar:
        first = tarfile.TarInfo(archive.MANIFEST)
        text = json.dumps(told | (manifest or {})).encode()
        first.size = len(text)
        tar.addfile(first, io.BytesIO(text))
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return file


def member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, "/etc/passwd"
    return made


@pytest.mark.parametrize(
    ("made", "body"),
    [
        (member("../outside"), b"x"),
        (member("state/../../outside"), b"x"),
        (member("/tmp/outside"), b"x"),
        (member("state/link", tarfile.SYMTYPE), b""),
        (member("state/link", tarfile.LNKTYPE), b""),
        (member("state/pipe", tarfile.FIFOTYPE), b""),
        (member("engine.lock"), b"x"),
        (member("Home/.bashrc"), b"x"),
        (member("state/bomb"), b"0" * 101),
    ],
)
def test_nothing_is_written_outside_and_no_more_than_was_told(
    tmp_path: Path, made: tarfile.TarInfo, body: bytes
) -> None:
    file = written(tmp_path / "evil.tgz", [(member("state/good"), b"g"), (made, body)])
    with pytest.raises(ArchiveRefused, match=r"evil\.tgz holds"):
        archive.load(file, tmp_path / "data", MADE_BY)
    assert content(tmp_path / "data") == {}
    assert sorted(os.listdir(tmp_path)) == ["data", "evil.tgz"]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"format": 2}, "has format 2; this Riacho reads up to 1"),
        ({"made_by": {"localstack-core": "9.0"}}, "was saved by localstack-core 9.0; this is"),
        ({"bytes": 1 << 60}, "make room or choose another folder"),
    ],
)
def test_another_version_and_a_full_disk_are_refused_with_a_sentence(
    tmp_path: Path, manifest: dict[str, Any], words: str
) -> None:
    file = written(tmp_path / "other.tgz", [], manifest)
    with pytest.raises(ArchiveRefused, match=words):
        archive.load(file, tmp_path / "data", MADE_BY)


def test_garbage_and_half_a_file_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(os.urandom(1000))
    with pytest.raises(ArchiveRefused, match="cannot be loaded"):
        archive.load(tmp_path / "garbage", tmp_path / "other", MADE_BY)
    (data / "state" / "large").write_bytes(os.urandom(100_000))
    archive.save(data, tmp_path / "whole.tgz", MADE_BY)
    (tmp_path / "half.tgz").write_bytes((tmp_path / "whole.tgz").read_bytes()[:50_000])
    with pytest.raises(ArchiveRefused, match="cannot be loaded"):
        archive.load(tmp_path / "half.tgz", tmp_path / "other", MADE_BY)
    assert content(tmp_path / "other") == {}
    with tarfile.open(tmp_path / "plain.tgz", "w:gz") as tar:
        tar.add(data / "engine.log", "engine.log")
    with pytest.raises(ArchiveRefused, match="is not a saved state"):
        archive.load(tmp_path / "plain.tgz", tmp_path / "other", MADE_BY)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_whoever_loads_a_state_owns_it(data: Path, tmp_path: Path) -> None:
    archive.save(data, tmp_path / "lab.tgz", MADE_BY)
    with tempfile.TemporaryDirectory() as somewhere:
        theirs = Path(somewhere) / "theirs"
        theirs.mkdir()
        shutil.copy(tmp_path / "lab.tgz", theirs)
        for each in (Path(somewhere), theirs, theirs / "lab.tgz"):
            os.chown(each, NOBODY, NOBODY)
        loading = multiprocessing.get_context("fork").Process(target=load_as_nobody, args=(theirs,))
        loading.start()
        loading.join(60)
        assert loading.exitcode == 0
        assert content(theirs / "data") == SAVED
        assert (theirs / "data").stat().st_mode & 0o077 == 0
        for found in [theirs / "data", *(theirs / "data").rglob("*")]:
            told = found.stat()
            assert (told.st_uid, told.st_gid) == (NOBODY, NOBODY), found
            assert told.st_mode & (0o700 if found.is_dir() else 0o600), found


def load_as_nobody(folder: Path) -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    archive.load(folder / "lab.tgz", folder / "data", MADE_BY)


def test_a_save_that_fails_leaves_no_file(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        archive.save(data, tmp_path / "none" / "lab.tgz", MADE_BY)
    assert not list(tmp_path.glob("*.draft"))
