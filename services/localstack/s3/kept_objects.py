"""Objects that say when they are changed, so that they stay in memory until that is written."""

from __future__ import annotations

import copyreg
from typing import Any

from localstack.services.s3.models import S3DeleteMarker, S3Object

from services.localstack.s3.keys import BucketKeys
from services.localstack.state import pickling

#: Where an object tells its changes: its bucket's keys, its key, and the versions it is one of.
_PLACE = "_riacho_place"


class Versions(dict[str, Any]):
    """A key's versions by their number, the newest last."""

    __slots__ = ("__weakref__",)

    def current(self) -> Any:
        """The newest, which may be a delete marker."""
        return next(reversed(self.values()), None)


class _Telling:
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if (place := self.__dict__.get(_PLACE)) is not None:
            keys, key, versions = place
            keys.put(key, self if versions is None else versions)


class KeptObject(_Telling, S3Object):  # type: ignore[misc]
    """LocalStack's object, once it is in a bucket."""


class KeptMarker(_Telling, S3DeleteMarker):  # type: ignore[misc]
    """LocalStack's delete marker, once it is in a bucket."""


_KEPT = {S3Object: KeptObject, S3DeleteMarker: KeptMarker}
_LOCALSTACKS = {kept: plain for plain, kept in _KEPT.items()}


def place(value: Any, keys: BucketKeys, key: str, versions: Versions | None = None) -> Any:
    """From now on the object tells its changes there."""
    value.__dict__[_PLACE] = (keys, key, versions)
    if (kept := _KEPT.get(type(value))) is not None:
        object.__setattr__(value, "__class__", kept)
    return value


def displace(value: Any) -> None:
    """It is not there any more: a change of it must not bring it back."""
    if value is not None:
        value.__dict__.pop(_PLACE, None)


def read(keys: BucketKeys, key: str, content: bytes) -> Any:
    """An object, or the versions of one, from its row."""
    found = pickling.loads(content)
    if not isinstance(found, dict):
        return place(found, keys, key)
    versions = Versions(found)
    for each in versions.values():
        place(each, keys, key, versions)
    return versions


@pickling.reducer(KeptObject)
@pickling.reducer(KeptMarker)
def _as_localstack_does(value: Any) -> tuple[Any, ...]:
    """The journal names no class of this module."""
    state = {name: each for name, each in list(value.__dict__.items()) if name != _PLACE}
    return copyreg._reconstructor, (_LOCALSTACKS[type(value)], object, None), state  # type: ignore[attr-defined]


@pickling.reducer(Versions)
def _as_dict(versions: Any) -> tuple[Any, ...]:
    return dict, (list(versions.items()),)
