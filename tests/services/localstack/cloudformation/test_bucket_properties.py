"""From a template's properties to S3's parameters."""

from __future__ import annotations

from typing import Any

import pytest

from services.localstack.cloudformation.bucket_properties import (
    encryption,
    lifecycle_configuration,
    public_access_block,
)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (
            {"Id": "a", "Status": "Enabled", "Prefix": "raw/", "ExpirationInDays": "30"},
            {
                "ID": "a",
                "Status": "Enabled",
                "Filter": {"Prefix": "raw/"},
                "Expiration": {"Days": 30},
            },
        ),
        (
            {
                "Status": "Enabled",
                "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 9}],
            },
            {
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Transitions": [{"StorageClass": "GLACIER", "Days": 9}],
            },
        ),
        (
            {
                "Status": "Disabled",
                "Prefix": "a",
                "ObjectSizeGreaterThan": "5",
                "TagFilters": [{"Key": "k", "Value": "v"}],
                "Transition": {"StorageClass": "STANDARD_IA", "TransitionDate": "2030-01-01"},
            },
            {
                "Status": "Disabled",
                "Filter": {
                    "And": {
                        "Prefix": "a",
                        "ObjectSizeGreaterThan": 5,
                        "Tags": [{"Key": "k", "Value": "v"}],
                    }
                },
                "Transitions": [{"StorageClass": "STANDARD_IA", "Date": "2030-01-01"}],
            },
        ),
        (
            {
                "Status": "Enabled",
                "TagFilters": [{"Key": "k", "Value": "v"}],
                "NoncurrentVersionExpirationInDays": 3,
                "NoncurrentVersionTransitions": [
                    {"StorageClass": "GLACIER", "TransitionInDays": 1, "NewerNoncurrentVersions": 2}
                ],
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                "ExpiredObjectDeleteMarker": "true",
            },
            {
                "Status": "Enabled",
                "Filter": {"Tag": {"Key": "k", "Value": "v"}},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
                "NoncurrentVersionTransitions": [
                    {"StorageClass": "GLACIER", "NoncurrentDays": 1, "NewerNoncurrentVersions": 2}
                ],
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
        ),
    ],
)
def test_a_lifecycle_rule(rule: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert lifecycle_configuration({"Rules": [rule]}) == {"Rules": [wanted]}


def test_encryption_and_public_access() -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/x"}
    rule = {"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": "false"}
    assert encryption({"ServerSideEncryptionConfiguration": [rule]}) == {
        "Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": False}]
    }
    assert public_access_block({"BlockPublicAcls": "true", "IgnorePublicAcls": False}) == {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
    }
