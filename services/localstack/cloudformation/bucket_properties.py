"""From the properties of `AWS::S3::Bucket` to what S3's API takes. Pure.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Properties = Mapping[str, Any]


def lifecycle_configuration(properties: Properties) -> dict[str, Any]:
    """`LifecycleConfiguration` as PutBucketLifecycleConfiguration wants it."""
    return {"Rules": [_rule(rule) for rule in properties["Rules"]]}


def _rule(rule: Properties) -> dict[str, Any]:
    parts = {
        "ID": rule.get("Id"),
        "Status": rule["Status"],
        "Filter": _filter(rule),
        "Expiration": _expiration(rule),
        "Transitions": [_transition(t) for t in _listed(rule, "Transition", "Transitions")],
        "NoncurrentVersionExpiration": _noncurrent_expiration(rule),
        "NoncurrentVersionTransitions": [
            _noncurrent_transition(t)
            for t in _listed(rule, "NoncurrentVersionTransition", "NoncurrentVersionTransitions")
        ],
        "AbortIncompleteMultipartUpload": _numbers(
            rule.get("AbortIncompleteMultipartUpload", {}), "DaysAfterInitiation"
        ),
    }
    return {name: part for name, part in parts.items() if part or name == "Filter"}


def _filter(rule: Properties) -> dict[str, Any]:
    """One condition stands alone, several stand below `And`."""
    sizes = _numbers(rule, "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    tags = [dict(tag) for tag in rule.get("TagFilters", [])]
    prefix = {"Prefix": rule["Prefix"]} if "Prefix" in rule else {}
    if len(prefix) + len(sizes) + len(tags) > 1:
        return {"And": {**prefix, **sizes, **({"Tags": tags} if tags else {})}}
    if tags:
        return {"Tag": tags[0]}
    return {**prefix, **sizes} or {"Prefix": ""}


def _expiration(rule: Properties) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if "ExpirationInDays" in rule:
        parts["Days"] = int(rule["ExpirationInDays"])
    if "ExpirationDate" in rule:
        parts["Date"] = rule["ExpirationDate"]
    if "ExpiredObjectDeleteMarker" in rule:
        parts["ExpiredObjectDeleteMarker"] = is_true(rule["ExpiredObjectDeleteMarker"])
    return parts


def _transition(transition: Properties) -> dict[str, Any]:
    parts: dict[str, Any] = {"StorageClass": transition["StorageClass"]}
    if "TransitionInDays" in transition:
        parts["Days"] = int(transition["TransitionInDays"])
    if "TransitionDate" in transition:
        parts["Date"] = transition["TransitionDate"]
    return parts


def _noncurrent_expiration(rule: Properties) -> dict[str, Any]:
    if "NoncurrentVersionExpirationInDays" in rule:  # the older spelling
        return {"NoncurrentDays": int(rule["NoncurrentVersionExpirationInDays"])}
    expiration = rule.get("NoncurrentVersionExpiration", {})
    return _numbers(expiration, "NoncurrentDays", "NewerNoncurrentVersions")


def _noncurrent_transition(transition: Properties) -> dict[str, Any]:
    return {
        "StorageClass": transition["StorageClass"],
        "NoncurrentDays": int(transition["TransitionInDays"]),
        **_numbers(transition, "NewerNoncurrentVersions"),
    }


def encryption(properties: Properties) -> dict[str, Any]:
    """`BucketEncryption` as PutBucketEncryption wants it."""
    return {"Rules": [_encryption(r) for r in properties["ServerSideEncryptionConfiguration"]]}


def _encryption(rule: Properties) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if default := rule.get("ServerSideEncryptionByDefault"):
        parts["ApplyServerSideEncryptionByDefault"] = dict(default)
    if "BucketKeyEnabled" in rule:
        parts["BucketKeyEnabled"] = is_true(rule["BucketKeyEnabled"])
    return parts


def public_access_block(properties: Properties) -> dict[str, bool]:
    """`PublicAccessBlockConfiguration` as PutPublicAccessBlock wants it."""
    return {name: is_true(value) for name, value in properties.items()}


def logging_status(properties: Properties) -> dict[str, Any]:
    """`LoggingConfiguration` as PutBucketLogging wants it."""
    return {
        "LoggingEnabled": {
            "TargetBucket": properties["DestinationBucketName"],
            "TargetPrefix": properties.get("LogFilePrefix", ""),
        }
    }


def is_true(value: Any) -> bool:
    """Templates write booleans as `true`, `"true"` or `True`."""
    return str(value).lower() == "true"


def _numbers(properties: Properties, *names: str) -> dict[str, int]:
    return {name: int(properties[name]) for name in names if name in properties}


def _listed(properties: Properties, one: str, several: str) -> list[Properties]:
    return [*([properties[one]] if one in properties else []), *properties.get(several, [])]
