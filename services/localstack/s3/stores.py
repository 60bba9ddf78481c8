"""LocalStack's stores of a bucket's objects, with everything that is written on disk only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localstack.services.s3.models import KeyStore, S3DeleteMarker, VersionedKeyStore

from services.localstack.s3 import listing
from services.localstack.s3.kept_objects import Versions, displace, place
from services.localstack.s3.keys import BucketKeys


class KeptKeyStore(KeyStore):  # type: ignore[misc]
    """Of a bucket without versions."""

    def __init__(self, keys: BucketKeys) -> None:
        self.keys = keys

    def get(self, object_key: str) -> Any:
        return self.keys.get(object_key)

    def set(self, object_key: str, s3_object: Any) -> None:
        with self.keys.lock:
            displace(self.keys.in_memory(object_key))
            self.keys.put(object_key, place(s3_object, self.keys, object_key))

    def pop(self, object_key: str, default: Any = None) -> Any:
        with self.keys.lock:
            found = self.keys.get(object_key)
            if found is None:
                return default
            self.keys.remove(object_key)
            displace(found)
        return found

    def values(self, *_: Any, **__: Any) -> list[Any]:
        return [found for key in self.keys.all_names() if (found := self.keys.get(key))]

    def is_empty(self) -> bool:
        return self.keys.is_empty()

    def __contains__(self, key: str) -> bool:
        return self.keys.get(key) is not None


class KeptVersionedKeyStore(VersionedKeyStore):  # type: ignore[misc]
    """Of a bucket that has or had versions."""

    def __init__(self, keys: BucketKeys) -> None:
        self.keys = keys

    @classmethod
    def from_key_store(cls, keystore: KeptKeyStore) -> KeptVersionedKeyStore:
        """The same keys and rows: none is read or written before it is asked for."""
        return cls(keystore.keys)

    def versions(self, key: str) -> Versions:
        """All that there is under a key."""
        with self.keys.lock:
            found = self.keys.get(key)
            if found is None or isinstance(found, Versions):
                return found or Versions()
            # From before the bucket had versions.
            found.__dict__["version_id"] = "null"
            versions = Versions(null=found)
            place(found, self.keys, key, versions)
            self.keys.exchange(key, versions)
            return versions

    def get(self, object_key: str, version_id: str | None = None) -> Any:
        versions = self.versions(object_key)
        return versions.get(version_id) if version_id else versions.current()

    def set(self, object_key: str, s3_object: Any) -> None:
        with self.keys.lock:
            versions = self.versions(object_key)
            if (former := versions.current()) is not None:
                former.is_current = False
            # The version `null` is written again and again, and is the newest then.
            displace(versions.pop(s3_object.version_id, None))
            versions[s3_object.version_id] = place(s3_object, self.keys, object_key, versions)
            self.keys.put(object_key, versions)

    def pop(self, object_key: str, version_id: str | None = None, default: Any = None) -> Any:
        with self.keys.lock:
            versions = self.versions(object_key)
            if version_id is None or version_id not in versions:
                return default if versions else None
            found = versions.pop(version_id)
            displace(found)
            if versions:
                versions.current().is_current = True
            else:
                self.keys.remove(object_key)
        return found

    def values(self, with_versions: bool = False) -> list[Any]:
        if with_versions:
            return [v for key in self.keys.all_names() for v in self.versions(key).values()]
        return [found for key in self.keys.all_names() if (found := current(self, key))]

    def is_empty(self) -> bool:
        return self.keys.is_empty()

    def __contains__(self, key: str) -> bool:
        return self.keys.get(key) is not None


def keep_newest_last() -> None:
    """Of LocalStack's own store: a version `null` that is written again stayed where it was."""
    set_version = VersionedKeyStore.set

    def set_newest(store: Any, object_key: str, s3_object: Any) -> None:
        store._store.get(object_key, {}).pop(s3_object.version_id, None)
        set_version(store, object_key, s3_object)

    VersionedKeyStore.set = set_newest


# What a listing needs, of these stores and of LocalStack's own, which keep everything in memory.


def current(store: Any, key: str) -> Any:
    """The object that is told under a key, or None: deleted, or never there."""
    found = store.get(key)
    return None if isinstance(found, S3DeleteMarker) else found


def versions(store: Any, key: str) -> list[Any] | None:
    """All that there is under a key, the newest first, or None."""
    if isinstance(store, KeptVersionedKeyStore):
        found = list(store.versions(key).values())
    elif isinstance(store, VersionedKeyStore):
        found = list(store._store.get(key, {}).values())
    else:
        found = [store.get(key)]
    return [each for each in reversed(found) if each is not None] or None


def keys_from(store: Any) -> listing.KeysFrom:
    """How its keys are read in their order."""
    if isinstance(store, KeptKeyStore | KeptVersionedKeyStore):
        return store.keys.names_from
    return listing.in_order(list(store._store))


def current_objects(store: Any, prefix: str) -> Iterator[Any]:
    """Every object whose key begins so, in the order of the keys."""
    told = listing.entries(keys_from(store), lambda key: current(store, key), prefix)
    return (entry.value for entry in told)
