"""A data folder's state as one file, to keep or to hand on: saved, checked, loaded. Pure.

A gzipped tar: `manifest.json` first, then the files. An archive comes from somebody else, so
reading one writes nothing outside the folder it is loaded into, follows no link, stops at the
size the manifest names, and takes no row that would call something while it is read. Functions in
it are programs all the same: they run when they are invoked.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from services.localstack.state import foreign

#: The form of the archive; an engine reads its own and older ones.
FORMAT = 1
MANIFEST = "manifest.json"
#: What belongs to a running engine, or can be made again.
NOT_STATE = frozenset(
    {"engine.lock", "engine.json", "engine.log", "engine.log.1", "home", "cache", "tmp"}
    | {"localstack"}
)
_LOADING = ".loading-"
#: Which form the folder has, written by every engine: it goes along, but is nothing to lose.
FOLDER_FORMAT = "format"
#: SQLite makes these anew.
_NOT_KEPT = ("-shm",)
_MAX_MANIFEST_BYTES = 100_000


class ArchiveRefused(RuntimeError):
    """The file is not an archive, of another version, or unsafe; the message is a sentence."""


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself. `saved_at` is epoch seconds, `made_by` names versions."""

    format: int
    made_by: Mapping[str, str]
    saved_at: float
    files: int
    bytes: int


def state_files(data_dir: Path) -> Iterator[Path]:
    """Every file of a data folder that is state."""
    for entry in sorted(data_dir.iterdir()) if data_dir.is_dir() else ():
        if entry.name in NOT_STATE or entry.name.startswith(_LOADING) or entry.is_symlink():
            continue
        files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        for file in files:
            if file.is_symlink() or not file.is_file() or ".set-aside-" in str(file):
                continue
            if not file.name.endswith(_NOT_KEPT):
                yield file


def save(data_dir: Path, file: Path, made_by: Mapping[str, str]) -> Manifest:
    """Write the state of a folder that nobody changes meanwhile; whole or not at all."""
    found = list(state_files(data_dir))
    manifest = Manifest(
        FORMAT, dict(made_by), time.time(), len(found), sum(f.stat().st_size for f in found)
    )
    draft = file.with_name(file.name + ".draft")
    try:
        with tarfile.open(draft, "w:gz", compresslevel=3) as archive:
            _add(archive, MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
            for each in found:
                archive.add(each, str(each.relative_to(data_dir)), recursive=False, filter=_plain)
        draft.chmod(0o600)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's name goes along."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def load(
    file: Path, data_dir: Path, made_by: Mapping[str, str], *, replace: bool = False
) -> Manifest:
    """Put an archive's state into a folder that has none, or in the place of what it has. Raises
    ArchiveRefused and leaves the folder as it was."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = Path(tempfile.mkdtemp(prefix=_LOADING, dir=data_dir))
    try:
        with tarfile.open(file, "r:gz") as archive:
            manifest = _manifest(file, archive, made_by)
            _refuse_without_room(manifest, data_dir)
            _extract(file, archive, manifest, staging)
        foreign.check(staging)
        if replace:
            reset(data_dir, but=staging)
        for entry in staging.iterdir():
            entry.rename(data_dir / entry.name)
    except foreign.ForeignRefused as what:
        raise ArchiveRefused(f"{file} holds {what}: no saved state does.") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveRefused(f"{file} cannot be loaded ({error}).") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _manifest(file: Path, archive: tarfile.TarFile, made_by: Mapping[str, str]) -> Manifest:
    member = archive.next()
    if member is None or member.name != MANIFEST or member.size > _MAX_MANIFEST_BYTES:
        raise ArchiveRefused(f"{file} is not a saved state: make one with riacho state save.")
    read = archive.extractfile(member)
    try:
        told: dict[str, Any] = json.loads(read.read() if read else b"")
        manifest = Manifest(**{name: told[name] for name in Manifest.__dataclass_fields__})
    except (ValueError, KeyError, TypeError):
        raise ArchiveRefused(f"{file} has a manifest that cannot be read.") from None
    if not isinstance(manifest.format, int) or manifest.format > FORMAT:
        raise ArchiveRefused(
            f"{file} has format {manifest.format}; this Riacho reads up to {FORMAT}: "
            "load it with the Riacho that saved it, or a newer one."
        )
    others = {k: v for k, v in manifest.made_by.items() if k in made_by and v != made_by[k]}
    if others:
        theirs = ", ".join(f"{name} {version}" for name, version in sorted(others.items()))
        ours = ", ".join(f"{name} {made_by[name]}" for name in sorted(others))
        raise ArchiveRefused(f"{file} was saved by {theirs}; this is {ours}: use the same.")
    return manifest


def _refuse_without_room(manifest: Manifest, data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free
    if manifest.bytes > free:
        raise ArchiveRefused(
            f"The state takes {manifest.bytes / 1e6:.0f} MB and the disk of {data_dir} has "
            f"{free / 1e6:.0f} MB left: make room or choose another folder (--data)."
        )


def _extract(file: Path, archive: tarfile.TarFile, manifest: Manifest, into: Path) -> None:
    written = 0
    while (member := archive.next()) is not None:
        path = PurePosixPath(member.name)
        outside = path.is_absolute() or ".." in path.parts or not path.parts
        if not member.isfile() or outside or _is_an_engines(path.parts[0]):
            raise ArchiveRefused(f"{file} holds {member.name!r}, which no saved state does.")
        written += member.size
        if written > manifest.bytes:
            raise ArchiveRefused(f"{file} holds more than its manifest names.")
        target = into.joinpath(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        read = archive.extractfile(member)
        with target.open("xb") as out:
            if read is not None:
                shutil.copyfileobj(read, out)
        target.chmod(0o700 if member.mode & 0o100 else 0o600)


def _is_an_engines(name: str) -> bool:
    """Some file systems take `Home` for `home`."""
    return name.casefold() in NOT_STATE


def reset(data_dir: Path, but: Path | None = None) -> int:
    """Remove the state of a folder; how many files went."""
    removed = 0
    for entry in list(data_dir.iterdir()) if data_dir.is_dir() else ():
        if entry.name in NOT_STATE or entry == but:
            continue
        if entry.is_dir() and not entry.is_symlink():
            removed += sum(1 for f in entry.rglob("*") if f.is_file())
            shutil.rmtree(entry)
        else:
            removed += 1
            entry.unlink()
    return removed


def has_state(data_dir: Path) -> bool:
    """Whether there is anything to lose."""
    return any(file != data_dir / FOLDER_FORMAT for file in state_files(data_dir))
