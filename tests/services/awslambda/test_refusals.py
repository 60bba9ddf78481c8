"""What Lambda's API refuses: AWS's error codes and words, against the real engine."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import EngineUnderTest
from tests.services.awslambda.functions import ROLE, deploy, package
from tests.waiting import wait_until

ECHO = "def handler(event, context): return event"
#: More than a request may carry, in files that do not get smaller when they are packed.
MIB = 2**20


@pytest.fixture(scope="module")
def awslambda(engine: EngineUnderTest) -> Any:
    return engine.client("lambda")


def stored(size: int) -> bytes:
    """A package of about `size` bytes, packed without compression."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("app.py", ECHO)
        archive.writestr("large", bytes(size))
    return packed.getvalue()


def layer(awslambda: Any, name: str, megabytes: int) -> str:
    content = package({"large": "0" * (megabytes * 10**6)})
    arn: str = awslambda.publish_layer_version(LayerName=name, Content={"ZipFile": content})[
        "LayerVersionArn"
    ]
    return arn


@contextmanager
def refused(code: str, message: str, status: int = 400) -> Iterator[None]:
    """The block must end in this error."""
    with pytest.raises(ClientError) as raised:
        yield
    answer = raised.value.response
    assert answer["Error"]["Code"] == code
    assert message in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status


INVALID = "InvalidParameterValueException"
VALIDATION = "ValidationException"


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (
            {"Runtime": "python9.9"},
            INVALID,
            "Value python9.9 at 'runtime' failed to satisfy constraint",
        ),
        ({"Code": {"ZipFile": b"no zip"}}, INVALID, "Could not unzip uploaded file"),
        ({"Code": {"ZipFile": package({})}}, INVALID, "Uploaded file must be a non-empty zip"),
        ({"Environment": {"Variables": {"AA": "x" * 4100}}}, INVALID, "exceeded the 4KB limit"),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x", "OWN": "y"}}},
            INVALID,
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            {"Environment": {"Variables": {"1A": "x"}}},
            VALIDATION,
            "Map keys must satisfy constraint",
        ),
        (
            {"Architectures": ["x86"]},
            VALIDATION,
            "Member must satisfy enum value set: [x86_64, arm64]",
        ),
        (
            {"Architectures": ["x86_64", "arm64"]},
            VALIDATION,
            "Member must have length less than or equal to 1",
        ),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::b"}}, INVALID, "neither an SQS queue"),
        ({"Layers": ["layer"]}, VALIDATION, "at 'layers' failed to satisfy constraint"),
        ({"Timeout": 901}, VALIDATION, "Member must have value less than or equal to 900"),
    ],
    ids=[
        *("runtime", "no zip", "empty zip", "large environment", "reserved variable"),
        *("variable's name", "architecture", "two architectures", "dead-letter queue"),
        *("layer's ARN", "timeout"),
    ],
)
def test_a_bad_function_is_refused(
    awslambda: Any, settings: dict[str, Any], code: str, message: str
) -> None:
    with refused(code, message):
        deploy(awslambda, ECHO, **settings)


@pytest.mark.parametrize("given", [{"Runtime": "python3.13"}, {"Handler": "app.handler"}])
def test_a_package_needs_both_a_runtime_and_a_handler(
    awslambda: Any, given: dict[str, str]
) -> None:
    code = {"ZipFile": package({"app.py": ECHO})}
    with refused(INVALID, "Runtime and Handler are mandatory parameters"):
        awslambda.create_function(FunctionName="half", Role=ROLE, Code=code, **given)


def test_a_package_that_unpacks_to_more_than_250_megabytes_is_refused(awslambda: Any) -> None:
    bomb = package({"app.py": ECHO, "bomb": "0" * 262_144_001})
    name, too_large = deploy(awslambda, ECHO), "Unzipped size must be smaller than 262144000 bytes"
    with refused(INVALID, too_large):
        deploy(awslambda, ECHO, Code={"ZipFile": bomb})
    with refused(INVALID, too_large):
        awslambda.update_function_code(FunctionName=name, ZipFile=bomb)
    with refused(INVALID, too_large):
        awslambda.publish_layer_version(LayerName="bomb", Content={"ZipFile": bomb})


def test_a_package_within_a_request_has_at_most_50_megabytes_and_one_in_s3_more(
    engine: EngineUnderTest, awslambda: Any
) -> None:
    large, name = stored(53 * MIB), deploy(awslambda, ECHO)
    entity = "RequestEntityTooLargeException"
    calls: dict[str, Callable[[], Any]] = {
        "CreateFunction": lambda: deploy(awslambda, ECHO, Code={"ZipFile": large}),
        "UpdateFunctionCode": lambda: awslambda.update_function_code(
            FunctionName=name, ZipFile=large
        ),
        "PublishLayerVersion": lambda: awslambda.publish_layer_version(
            LayerName="large", Content={"ZipFile": large}
        ),
    }
    for operation, call in calls.items():
        expected = f"Request must be smaller than 70167211 bytes for the {operation} operation"
        with refused(entity, expected, 413):
            call()
    s3 = engine.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="large.zip", Body=large)
    deploy(awslambda, ECHO, Code={"S3Bucket": name, "S3Key": "large.zip"})


def test_a_package_and_its_layers_have_together_at_most_250_megabytes(awslambda: Any) -> None:
    medium, large = layer(awslambda, "medium", 120), layer(awslambda, "large", 200)
    with refused(INVALID, "Layers consume more than the available size of 262144000 bytes"):
        deploy(awslambda, ECHO, Layers=[medium, large])
    name = deploy(awslambda, ECHO, Layers=[large])
    content = package({"app.py": ECHO, "large": "0" * 10**8})
    actual = f"The actual size is {200 * 10**6 + 10**8 + len(ECHO)} bytes."
    with refused(INVALID, actual):
        awslambda.update_function_code(FunctionName=name, ZipFile=content)
    with refused(INVALID, actual):
        deploy(awslambda, ECHO, Layers=[large], Code={"ZipFile": content})
    other = deploy(awslambda, ECHO, Code={"ZipFile": content})
    with refused(INVALID, actual):
        awslambda.update_function_configuration(FunctionName=other, Layers=[large])
    awslambda.update_function_configuration(FunctionName=other, Layers=[medium])


def test_a_bootstrap_that_was_not_packed_as_executable_cannot_run(awslambda: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\nexit 0\n")
    code = {"ZipFile": packed.getvalue()}
    name = deploy(awslambda, ECHO, Runtime="provided.al2023", Code=code)
    answer = awslambda.invoke(FunctionName=name)
    told = answer["Payload"].read().decode()
    assert answer["FunctionError"] == "Unhandled"
    assert "Runtime.InvalidEntrypoint" in told
    assert "fork/exec /var/task/bootstrap: permission denied" in told


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"MaximumRetryAttempts": 3}, "less than or equal to 2"),
        ({"MaximumEventAgeInSeconds": 21_601}, "less than or equal to 21600"),
    ],
)
def test_settings_of_asynchronous_invocations_have_their_ranges(
    awslambda: Any, settings: dict[str, int], message: str
) -> None:
    name = deploy(awslambda, ECHO)
    with refused(VALIDATION, message):
        awslambda.put_function_event_invoke_config(FunctionName=name, **settings)
    awslambda.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    with refused(VALIDATION, message):
        awslambda.update_function_event_invoke_config(FunctionName=name, **settings)


def test_an_unknown_type_of_invocation_is_refused(awslambda: Any) -> None:
    name = deploy(awslambda, ECHO)
    with refused(VALIDATION, "Value 'Sometime' at 'invocationType' failed to satisfy constraint"):
        awslambda.invoke(FunctionName=name, InvocationType="Sometime")


def test_a_runtime_that_this_machine_lacks_makes_the_function_fail_with_the_way_out(
    awslambda: Any,
) -> None:
    with pytest.raises(AssertionError, match=r"this engine runs python3\.11 to"):
        deploy(awslambda, ECHO, Runtime="java21")


def test_a_container_image_makes_the_function_fail_with_the_way_out(awslambda: Any) -> None:
    name = f"image-{uuid.uuid4().hex[:8]}"
    uri = "000000000000.dkr.ecr.us-east-1.amazonaws.com/image:latest"
    awslambda.create_function(
        FunctionName=name, PackageType="Image", Role=ROLE, Code={"ImageUri": uri}
    )

    def state() -> Any:
        found = awslambda.get_function_configuration(FunctionName=name)
        return found if found["State"] != "Pending" else None

    found = wait_until(state)
    assert found["State"] == "Failed"
    assert "create the function from a package" in found["StateReason"]
