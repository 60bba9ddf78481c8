"""`AWS::KinesisFirehose::DeliveryStream` with every property, and updates in place.

LocalStack's own resource knows neither updates nor the newer properties. Two plug-ins of one name
would leave it to chance which is found, so ours takes the place of the stock one when it loads.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesisfirehose-deliverystream.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.runtime import hooks
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)
from localstack.services.kinesisfirehose.resource_providers import (
    aws_kinesisfirehose_deliverystream_plugin as stock,
)

from services.firehose.cloudformation.properties import (
    changes_of_tags,
    create_request,
    update_of_destination,
)

_CREATE_ONLY = ("DeliveryStreamName", "DeliveryStreamType", "KinesisStreamSourceConfiguration")


class DeliveryStreamResource(ResourceProvider):
    """`Ref` gives the name, `Fn::GetAtt Arn` the ARN."""

    TYPE = "AWS::KinesisFirehose::DeliveryStream"
    SCHEMA: Mapping[str, Any] = {
        "typeName": TYPE,
        "primaryIdentifier": ["/properties/DeliveryStreamName"],
        "createOnlyProperties": [f"/properties/{name}" for name in _CREATE_ONLY],
        "readOnlyProperties": ["/properties/Arn"],
        "properties": {},
        "handlers": {"create": {}, "read": {}, "update": {}, "delete": {}},
    }

    def create(self, request: ResourceRequest) -> ProgressEvent:
        model = request.desired_state
        default_name = generate_default_name(request.stack_name, request.logical_resource_id)
        wanted = create_request(model, default_name)
        created = request.aws_client_factory.firehose.create_delivery_stream(**wanted)
        model["DeliveryStreamName"] = wanted["DeliveryStreamName"]
        model["Arn"] = created["DeliveryStreamARN"]
        return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)

    def update(self, request: ResourceRequest) -> ProgressEvent:
        before, model = request.previous_state, request.desired_state
        firehose = request.aws_client_factory.firehose
        for name in ("DeliveryStreamName", "Arn"):
            model.setdefault(name, before.get(name))
        stream = model["DeliveryStreamName"]
        self._update_destination(firehose, stream, before, model)
        added, removed = changes_of_tags(before, model)
        if removed:
            firehose.untag_delivery_stream(DeliveryStreamName=stream, TagKeys=removed)
        if added:
            firehose.tag_delivery_stream(DeliveryStreamName=stream, Tags=added)
        self._update_encryption(firehose, stream, before, model)
        return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)

    def _update_destination(
        self, firehose: Any, stream: str, before: Mapping[str, Any], model: Mapping[str, Any]
    ) -> None:
        change = update_of_destination(before, model)
        if change is None:
            return
        described = firehose.describe_delivery_stream(DeliveryStreamName=stream)
        description = described["DeliveryStreamDescription"]
        firehose.update_destination(
            DeliveryStreamName=stream,
            CurrentDeliveryStreamVersionId=description["VersionId"],
            DestinationId=description["Destinations"][0]["DestinationId"],
            **change,
        )

    def _update_encryption(
        self, firehose: Any, stream: str, before: Mapping[str, Any], model: Mapping[str, Any]
    ) -> None:
        member = "DeliveryStreamEncryptionConfigurationInput"
        if model.get(member) == before.get(member):
            return
        if model.get(member):
            firehose.start_delivery_stream_encryption(
                DeliveryStreamName=stream, **{member: model[member]}
            )
        else:
            firehose.stop_delivery_stream_encryption(DeliveryStreamName=stream)

    def delete(self, request: ResourceRequest) -> ProgressEvent:
        model = request.previous_state or request.desired_state
        firehose, name = request.aws_client_factory.firehose, model["DeliveryStreamName"]
        try:
            described = firehose.describe_delivery_stream(DeliveryStreamName=name)
        except firehose.exceptions.ResourceNotFoundException:
            return ProgressEvent(OperationStatus.SUCCESS, resource_model={})
        if described["DeliveryStreamDescription"]["DeliveryStreamStatus"] != "DELETING":
            firehose.delete_delivery_stream(DeliveryStreamName=name)
        return ProgressEvent(OperationStatus.IN_PROGRESS, resource_model=model)

    def read(self, request: ResourceRequest) -> ProgressEvent:
        return ProgressEvent(OperationStatus.SUCCESS, resource_model=request.desired_state)


@hooks.on_infra_start()
def replace_stock_resource() -> None:
    """Let LocalStack's plug-in load our resource."""

    def load(plugin: Any) -> None:
        plugin.factory = DeliveryStreamResource

    stock.KinesisFirehoseDeliveryStreamProviderPlugin.load = load
