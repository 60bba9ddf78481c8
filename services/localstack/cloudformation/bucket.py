"""What LocalStack's `AWS::S3::Bucket` leaves out: lifecycle and others, and every update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.localstack.cloudformation import bucket_properties as to_s3

#: (an S3 client, the bucket's name, the property's value).
Put = Callable[[Any, str, Any], object]
#: (an S3 client, the bucket's name).
Remove = Callable[[Any, str], object]


@dataclass(frozen=True)
class BucketProperty:
    """One property of the bucket: how to set it and how to take it away."""

    put: Put
    remove: Remove


#: What LocalStack's own create does not do.
LEFT_OUT = {
    "LifecycleConfiguration": BucketProperty(
        lambda s3, bucket, value: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=to_s3.lifecycle_configuration(value)
        ),
        lambda s3, bucket: s3.delete_bucket_lifecycle(Bucket=bucket),
    ),
    "BucketEncryption": BucketProperty(
        lambda s3, bucket, value: s3.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration=to_s3.encryption(value)
        ),
        lambda s3, bucket: s3.delete_bucket_encryption(Bucket=bucket),
    ),
    "PublicAccessBlockConfiguration": BucketProperty(
        lambda s3, bucket, value: s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=to_s3.public_access_block(value)
        ),
        lambda s3, bucket: s3.delete_public_access_block(Bucket=bucket),
    ),
    "OwnershipControls": BucketProperty(
        lambda s3, bucket, value: s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": value["Rules"]}
        ),
        lambda s3, bucket: s3.delete_bucket_ownership_controls(Bucket=bucket),
    ),
    "LoggingConfiguration": BucketProperty(
        lambda s3, bucket, value: s3.put_bucket_logging(
            Bucket=bucket, BucketLoggingStatus=to_s3.logging_status(value)
        ),
        lambda s3, bucket: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={}),
    ),
}

#: What it does, but only at creation.
NEVER_UPDATED = {
    "VersioningConfiguration": BucketProperty(
        lambda s3, bucket, value: s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": value["Status"]}
        ),
        # Versioning cannot be taken off a bucket again, only suspended.
        lambda s3, bucket: s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    "Tags": BucketProperty(
        lambda s3, bucket, value: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": value}),
        lambda s3, bucket: s3.delete_bucket_tagging(Bucket=bucket),
    ),
}


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], known: Mapping[str, BucketProperty]
) -> list[tuple[BucketProperty, Any]]:
    """(property, new value) for each that differs; the value is None for one to take away."""
    return [
        (bucket_property, after.get(name))
        for name, bucket_property in known.items()
        if before.get(name) != after.get(name)
    ]


def apply(s3: Any, bucket: str, wanted: list[tuple[BucketProperty, Any]]) -> None:
    """Put or take away what `changes` found."""
    for bucket_property, value in wanted:
        if value is None:
            bucket_property.remove(s3, bucket)
        else:
            bucket_property.put(s3, bucket, value)
