"""LocalStack's CloudFormation, refusing unknown types, with streams and buckets made whole."""

from __future__ import annotations

from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.services.cloudformation import api_utils
from localstack.services.cloudformation.engine import template_preparer
from localstack.services.cloudformation.engine.v2 import change_set_model_executor
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProviderExecutor,
)
from localstack.services.cloudformation.v2.provider import CloudformationProviderV2

from services.localstack.cloudformation import bucket, stream
from services.localstack.cloudformation.template import refusal


class CloudFormation(CloudformationProviderV2):
    """Templates with unknown types are refused before a stack exists, as on AWS."""

    def __init__(self) -> None:
        super().__init__()
        _refuse_what_nobody_deploys()
        _mend_streams()
        _mend_buckets()

    @handler("CreateStack", expand=False)
    def create_stack(self, context: RequestContext, request: Any) -> Any:
        _check(request)
        return super().create_stack(context, request)

    @handler("UpdateStack", expand=False)
    def update_stack(self, context: RequestContext, request: Any) -> Any:
        _check(request)
        return super().update_stack(context, request)

    @handler("CreateChangeSet", expand=False)
    def create_change_set(self, context: RequestContext, request: Any) -> Any:
        _check(request)
        return super().create_change_set(context, request)


def _check(request: Any) -> None:
    if not (request.get("TemplateBody") or request.get("TemplateURL")):
        return
    template = template_preparer.parse_template(api_utils.extract_template_body(request))
    if message := refusal(template, _is_known):
        raise ValidationError(message)


def _is_known(resource_type: str) -> bool:
    return ResourceProviderExecutor.try_load_resource_provider(resource_type) is not None


def _refuse_what_nobody_deploys() -> None:
    """A type that only a transform brings in is checked nowhere else: LocalStack would call it
    deployed "as a fallback"."""
    change_set_model_executor.should_ignore_unsupported_resource_type = lambda **_: False


def _success(model: Any, request: Any) -> ProgressEvent:
    return ProgressEvent(
        status=OperationStatus.SUCCESS,
        resource_model=model,
        custom_context=request.custom_context,
    )


# Resource types of LocalStack are mended in place: of two plug-ins with one name it takes either.


def _mend_streams() -> None:
    from localstack.services.kinesis.resource_providers.aws_kinesis_stream import (
        KinesisStreamProvider,
    )

    KinesisStreamProvider.create = _create_stream
    KinesisStreamProvider.update = _update_stream


def _create_stream(self: Any, request: Any) -> ProgressEvent:
    model, kinesis = request.desired_state, request.aws_client_factory.kinesis
    if not model.get("Name"):
        model["Name"] = generate_default_name(request.stack_name, request.logical_resource_id)
    kinesis.create_stream(**stream.creation(model))
    summary = _wait_until_active(kinesis, model["Name"])
    model["Arn"] = summary["StreamARN"]
    _call(kinesis, model["Name"], stream.calls_after({}, model))
    return _success(model, request)


def _update_stream(self: Any, request: Any) -> ProgressEvent:
    before, kinesis = request.previous_state, request.aws_client_factory.kinesis
    model = {"Name": before["Name"], "Arn": before["Arn"]} | request.desired_state
    _call(kinesis, model["Name"], stream.calls_after(before, model))
    return _success(model, request)


def _call(kinesis: Any, name: str, calls: list[stream.Call]) -> None:
    for call in calls:
        getattr(kinesis, call.operation)(**call.parameters)
        _wait_until_active(kinesis, name)


def _wait_until_active(kinesis: Any, name: str) -> Any:
    kinesis.get_waiter("stream_exists").wait(
        StreamName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]


def _mend_buckets() -> None:
    from localstack.services.s3.resource_providers.aws_s3_bucket import S3BucketProvider

    localstacks_create = S3BucketProvider.create

    def create(self: Any, request: Any) -> ProgressEvent:
        event = localstacks_create(self, request)
        if event.status == OperationStatus.SUCCESS:
            wanted = bucket.changes({}, request.desired_state, bucket.LEFT_OUT)
            bucket.apply(request.aws_client_factory.s3, event.resource_model["BucketName"], wanted)
        return event

    S3BucketProvider.create = create
    S3BucketProvider.update = _update_bucket


def _update_bucket(self: Any, request: Any) -> ProgressEvent:
    before, after = request.previous_state, request.desired_state
    name = before["BucketName"]
    known = bucket.LEFT_OUT | bucket.NEVER_UPDATED | _with_localstacks_translations(self)
    bucket.apply(request.aws_client_factory.s3, name, bucket.changes(before, after, known))
    kept = {key: value for key, value in before.items() if key not in known}
    return _success(kept | after, request)


def _with_localstacks_translations(self: Any) -> dict[str, bucket.BucketProperty]:
    def notification(s3: Any, name: str, value: Any) -> None:
        properties = {"BucketName": name, "NotificationConfiguration": value}
        s3.put_bucket_notification_configuration(
            **self._get_s3_bucket_notification_config(properties)
        )

    return {
        "CorsConfiguration": bucket.BucketProperty(
            lambda s3, name, value: s3.put_bucket_cors(
                Bucket=name, CORSConfiguration=self._transform_cfn_cors(value)
            ),
            lambda s3, name: s3.delete_bucket_cors(Bucket=name),
        ),
        "WebsiteConfiguration": bucket.BucketProperty(
            lambda s3, name, value: s3.put_bucket_website(
                Bucket=name, WebsiteConfiguration=self._transform_website_configuration(value)
            ),
            lambda s3, name: s3.delete_bucket_website(Bucket=name),
        ),
        "NotificationConfiguration": bucket.BucketProperty(
            notification,
            lambda s3, name: s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={}
            ),
        ),
    }
