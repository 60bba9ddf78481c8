"""`Custom::*` and `AWS::CloudFormation::CustomResource` for LocalStack's CloudFormation."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

from services.awslambda.cloudformation.custom_resource import (
    PHYSICAL_ID,
    CustomResourceFailed,
    parse_response,
    request_event,
    with_response,
)
from services.connect import LOCAL_CREDENTIALS
from services.localstack.running import running

TYPE = "AWS::CloudFormation::CustomResource"
#: How long one look waits for the function's answer; CloudFormation looks again and again.
_LOOK_SECONDS = 1.0
_RESPONSE_SECONDS = 3600


class CustomResource(ResourceProvider):
    """Calls the service token and waits until the function has put its answer to S3."""

    TYPE = TYPE
    SCHEMA: Mapping[str, Any] = {
        "typeName": TYPE,
        "primaryIdentifier": [f"/properties/{PHYSICAL_ID}"],
        "properties": {},
        "handlers": {"create": {}, "read": {}, "update": {}, "delete": {}},
    }

    def create(self, request: ResourceRequest) -> ProgressEvent:
        return _ask(request, "Create", request.desired_state, None)

    def update(self, request: ResourceRequest) -> ProgressEvent:
        before = request.previous_state
        event = _ask(request, "Update", request.desired_state, before)
        model = event.resource_model or {}
        if event.status == OperationStatus.SUCCESS and model[PHYSICAL_ID] != before[PHYSICAL_ID]:
            # Another physical resource took its place: the former one is deleted.
            _send(request, "Delete", before, None)
        return event

    def delete(self, request: ResourceRequest) -> ProgressEvent:
        state = request.previous_state or request.desired_state
        return _ask(request, "Delete", state, None)

    def read(self, request: ResourceRequest) -> ProgressEvent:
        return ProgressEvent(OperationStatus.SUCCESS, resource_model=request.desired_state)


class CustomResourcePlugin(CloudFormationResourceProviderPlugin):
    """Found by the name of its type; LocalStack maps `Custom::Anything` to it."""

    name = TYPE

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = CustomResource


def _ask(
    request: ResourceRequest,
    request_type: str,
    state: Mapping[str, Any],
    previous_state: Mapping[str, Any] | None,
) -> ProgressEvent:
    request_id = request.custom_context.get("request_id")
    if request_id is None:
        request_id = _send(request, request_type, state, previous_state)
    body = _response(request, request_id)
    context = {"request_id": request_id}
    if body is None:
        return ProgressEvent(
            OperationStatus.IN_PROGRESS, resource_model=dict(state), custom_context=context
        )
    try:
        response = parse_response(body, request_id)
    except CustomResourceFailed as failed:
        return ProgressEvent(
            OperationStatus.FAILED, resource_model=dict(state), message=str(failed)
        )
    return ProgressEvent(
        OperationStatus.SUCCESS,
        resource_model=with_response(state, response),
        custom_context=context,
    )


def _send(
    request: ResourceRequest,
    request_type: str,
    state: Mapping[str, Any],
    previous_state: Mapping[str, Any] | None,
) -> str:
    """Call the service token, a function or a topic; the request's id."""
    request_id = str(uuid.uuid4())
    event = request_event(
        request_type=request_type,
        request_id=request_id,
        response_url=_response_url(request, request_id),
        stack_id=request.stack_id,
        resource_type=request.resource_type,
        logical_id=request.logical_resource_id,
        state=state,
        previous_state=previous_state,
    )
    token = event["ServiceToken"]
    if token.split(":")[2:3] == ["sns"]:
        request.aws_client_factory.sns.publish(TopicArn=token, Message=json.dumps(event))
    else:
        request.aws_client_factory.get_client("lambda").invoke(
            FunctionName=token, InvocationType="Event", Payload=json.dumps(event)
        )
    return request_id


def _bucket(request: ResourceRequest) -> str:
    return f"cloudformation-custom-resource-response-{request.region_name}-{request.account_id}"


def _s3() -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{running().settings.port}",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
        **LOCAL_CREDENTIALS,
    )


def _response_url(request: ResourceRequest, request_id: str) -> str:
    """A pre-signed URL that the function puts its answer to."""
    s3 = _s3()
    # In us-east-1 a bucket may be made again.
    s3.create_bucket(Bucket=_bucket(request))
    url: str = s3.generate_presigned_url(
        "put_object",
        Params={"Bucket": _bucket(request), "Key": request_id},
        ExpiresIn=_RESPONSE_SECONDS,
    )
    return url


def _response(request: ResourceRequest, request_id: str) -> bytes | None:
    s3 = _s3()
    deadline = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            answer = s3.get_object(Bucket=_bucket(request), Key=request_id)
        except ClientError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)
            continue
        body: bytes = answer["Body"].read()
        s3.delete_object(Bucket=_bucket(request), Key=request_id)
        return body
