"""ListObjects, ListObjectsV2 and ListObjectVersions: pages that are read from where they begin.

LocalStack's own go through all objects of the bucket for every page, in the order of the encoded
keys when these are asked for encoded, as boto3 does: pages then lose and repeat keys.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from localstack.aws.api.s3 import InvalidArgument, ObjectVersionStorageClass
from localstack.services.s3.models import S3DeleteMarker
from localstack.services.s3.provider import S3Provider
from localstack.services.s3.utils import (
    encode_continuation_token,
    is_version_older_than_other,
)
from localstack.services.s3.validation import validate_encoding_type

from services.localstack.s3 import listing
from services.localstack.s3.listing import Entry, Page
from services.localstack.s3.stores import current, keys_from, versions

#: A page has no more, whatever is asked for.
LARGEST_PAGE = 1000
LARGEST_NUMBER = 2**31 - 1


class ListingProvider(S3Provider):  # type: ignore[misc]
    """LocalStack's S3 with listings of its own."""

    def list_objects(
        self,
        context: Any,
        bucket: str,
        delimiter: str | None = None,
        encoding_type: str | None = None,
        marker: str | None = None,
        max_keys: int | None = None,
        prefix: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html"""
        _, s3_bucket = self._get_cross_account_bucket(context, bucket)
        encoded, size = _encoding(encoding_type), _page_size(max_keys)
        start = listing.past_marker(marker or "", prefix or "", delimiter or "")
        found = listing.page(_objects(s3_bucket, prefix, delimiter, start), size)
        answer = _answer(found, bucket, size, prefix, delimiter, encoded)
        answer["Marker"] = encoded(marker or "")
        answer["Contents"] = _contents(found, encoded, s3_bucket.owner)
        if delimiter and found.following:
            answer["NextMarker"] = encoded(found.entries[-1].common_prefix or found.entries[-1].key)
        return _told(answer, encoding_type, s3_bucket)

    def list_objects_v2(
        self,
        context: Any,
        bucket: str,
        delimiter: str | None = None,
        encoding_type: str | None = None,
        max_keys: int | None = None,
        prefix: str | None = None,
        continuation_token: str | None = None,
        fetch_owner: bool | None = None,
        start_after: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
        _, s3_bucket = self._get_cross_account_bucket(context, bucket)
        encoded, size = _encoding(encoding_type), _page_size(max_keys)
        start = listing.after(start_after) if start_after else ""
        if continuation_token is not None:
            start = _position(continuation_token)
        found = listing.page(_objects(s3_bucket, prefix, delimiter, start), size)
        answer = _answer(found, bucket, size, prefix, delimiter, encoded)
        answer["KeyCount"] = len(found.entries)
        answer["Contents"] = _contents(found, encoded, s3_bucket.owner if fetch_owner else None)
        if found.following:
            answer["NextContinuationToken"] = encode_continuation_token(found.following.key)
        if continuation_token is not None:
            answer["ContinuationToken"] = continuation_token
        elif start_after:
            answer["StartAfter"] = encoded(start_after)
        return _told(answer, encoding_type, s3_bucket)

    def list_object_versions(
        self,
        context: Any,
        bucket: str,
        delimiter: str | None = None,
        encoding_type: str | None = None,
        key_marker: str | None = None,
        max_keys: int | None = None,
        prefix: str | None = None,
        version_id_marker: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""
        if version_id_marker and not key_marker:
            raise InvalidArgument(
                "A version-id marker cannot be specified without a key marker.",
                ArgumentName="version-id-marker",
                ArgumentValue=version_id_marker,
            )
        _, s3_bucket = self._get_cross_account_bucket(context, bucket)
        encoded, size = _encoding(encoding_type), _page_size(max_keys)
        store, key_marker = s3_bucket.objects, key_marker or ""
        start = listing.past_marker(key_marker, prefix or "", delimiter or "")
        entries = listing.entries(
            keys_from(store),
            lambda key: versions(store, key),
            prefix or "",
            delimiter or "",
            key_marker if version_id_marker else start,
        )
        seen = _after_version(version_id_marker)
        marked = key_marker if version_id_marker else ""
        found = listing.page(listing.versions_from(entries, marked, seen), size)
        answer = _answer(found, bucket, size, prefix, delimiter, encoded)
        answer["KeyMarker"] = encoded(key_marker)
        answer["VersionIdMarker"] = version_id_marker or ""
        told = [entry for entry in found.entries if not entry.common_prefix]
        markers = [entry for entry in told if isinstance(entry.value, S3DeleteMarker)]
        owner = s3_bucket.owner
        answer["DeleteMarkers"] = [_marker(entry, encoded, owner) for entry in markers]
        answer["Versions"] = [
            _version(entry, encoded, owner) for entry in told if entry not in markers
        ]
        if found.following:
            last = found.entries[-1]
            answer["NextKeyMarker"] = encoded(last.common_prefix or last.key)
            if not last.common_prefix:
                answer["NextVersionIdMarker"] = last.value.version_id or "null"
        return _told(answer, encoding_type, s3_bucket)


def _objects(bucket: Any, prefix: str | None, delimiter: str | None, start: str) -> Any:
    store = bucket.objects
    return listing.entries(
        keys_from(store), lambda key: current(store, key), prefix or "", delimiter or "", start
    )


def _encoding(encoding_type: str | None) -> Callable[[str], str]:
    validate_encoding_type(encoding_type)
    return quote if encoding_type else str


def _page_size(max_keys: int | None) -> int:
    if max_keys is None:
        return LARGEST_PAGE
    if not 0 <= max_keys <= LARGEST_NUMBER:
        raise InvalidArgument(
            f"Argument maxKeys must be an integer between 0 and {LARGEST_NUMBER}",
            ArgumentName="maxKeys",
            ArgumentValue=str(max_keys),
        )
    return min(max_keys, LARGEST_PAGE)


def _position(continuation_token: str) -> str:
    """The key where a listing goes on."""
    try:
        key = base64.b64decode(continuation_token, altchars=b"._", validate=True).decode()
    except ValueError:
        key = ""
    if not key:
        raise InvalidArgument(
            "The continuation token provided is incorrect", ArgumentName="continuation-token"
        )
    return key


def _after_version(marker: str | None) -> Callable[[list[Any]], list[Any]]:
    """Those of a key's versions that come after the marker; it may have been deleted meanwhile."""

    def seen(found: list[Any]) -> list[Any]:
        ids = [version.version_id or "null" for version in found]
        if marker in ids:
            return found[ids.index(marker) + 1 :]
        newer = [i for i, each in enumerate(ids) if each != "null" and not _is_older(each, marker)]
        return found[newer[-1] + 1 :] if newer else found

    return seen


def _is_older(version_id: str, marker: str | None) -> bool:
    try:
        return bool(is_version_older_than_other(version_id, marker))
    except ValueError:
        raise InvalidArgument(
            "Invalid version id specified",
            ArgumentName="version-id-marker",
            ArgumentValue=marker,
        ) from None


def _answer(
    found: Page,
    bucket: str,
    max_keys: int,
    prefix: str | None,
    delimiter: str | None,
    encoded: Callable[[str], str],
) -> dict[str, Any]:
    """What all listings tell."""
    prefixes = [{"Prefix": encoded(prefix)} for prefix in found.common_prefixes]
    return {
        "IsTruncated": found.following is not None,
        "Name": bucket,
        "MaxKeys": max_keys,
        "Prefix": encoded(prefix or ""),
        "Delimiter": encoded(delimiter or ""),
        "CommonPrefixes": prefixes,
    }


def _told(answer: dict[str, Any], encoding_type: str | None, bucket: Any) -> dict[str, Any]:
    """Without what there is nothing of."""
    if encoding_type:
        answer["EncodingType"] = encoding_type
    if bucket.bucket_region != "us-east-1":
        answer["BucketRegion"] = bucket.bucket_region
    optional = ("Contents", "CommonPrefixes", "Delimiter", "Versions", "DeleteMarkers")
    return {name: value for name, value in answer.items() if value or name not in optional}


def _contents(page: Page, encoded: Callable[[str], str], owner: Any) -> list[dict[str, Any]]:
    return [
        {
            "Key": encoded(entry.key),
            "LastModified": entry.value.last_modified,
            "ETag": entry.value.quoted_etag,
            **_checksum(entry.value),
            "Size": entry.value.size,
            "StorageClass": entry.value.storage_class,
            **({"Owner": owner} if owner else {}),
        }
        for entry in page.entries
        if not entry.common_prefix
    ]


def _version(entry: Entry, encoded: Callable[[str], str], owner: Any) -> dict[str, Any]:
    return {
        "Key": encoded(entry.key),
        "ETag": entry.value.quoted_etag,
        **_checksum(entry.value),
        "Size": entry.value.size,
        "StorageClass": ObjectVersionStorageClass.STANDARD,
        **_of_both(entry.value, owner),
    }


def _marker(entry: Entry, encoded: Callable[[str], str], owner: Any) -> dict[str, Any]:
    return {"Key": encoded(entry.key), **_of_both(entry.value, owner)}


def _of_both(version: Any, owner: Any) -> dict[str, Any]:
    return {
        "VersionId": version.version_id or "null",
        "IsLatest": version.is_current,
        "LastModified": version.last_modified,
        "Owner": owner,
    }


def _checksum(found: Any) -> dict[str, Any]:
    if not found.checksum_algorithm:
        return {}
    return {"ChecksumAlgorithm": [found.checksum_algorithm], "ChecksumType": found.checksum_type}
