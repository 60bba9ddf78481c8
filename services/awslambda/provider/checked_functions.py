"""LocalStack's Lambda API, refusing what AWS refuses besides."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping
from typing import IO, Any

from botocore.exceptions import ClientError
from localstack.aws.api import CommonServiceException, RequestContext, handler
from localstack.aws.api.lambda_ import InvocationResponse, InvocationType
from localstack.aws.connect import connect_to
from localstack.services.lambda_ import api_utils
from localstack.services.lambda_.invocation.lambda_models import AliasRoutingConfig
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.provider import LambdaProvider

from services.awslambda.function_checks import (
    refuse_configuration,
    refuse_creation,
    refuse_invocation_type,
)
from services.awslambda.limits import Refusal, refuse_payload
from services.awslambda.package_checks import (
    refuse_content,
    refuse_together,
    refuse_upload,
    unpacked_bytes,
)
from services.awslambda.ranges import EVENT_INVOKE_RANGES, refuse_numbers


class CheckedFunctions(LambdaProvider):
    """Everything of the API that is not here is LocalStack's."""

    @handler("CreateFunction", expand=False)
    def create_function(self, context: RequestContext, request: Any) -> Any:
        _refuse(refuse_numbers(request))
        _refuse(refuse_creation(request))
        _refuse_package("CreateFunction", request.get("Code") or {}, request.get("Layers") or ())
        return super().create_function(context, request)

    @handler("UpdateFunctionCode", expand=False)
    def update_function_code(self, context: RequestContext, request: Any) -> Any:
        function = _function(context, request["FunctionName"])
        layers = function.latest().config.layers if function is not None else ()
        arns = [layer.layer_version_arn for layer in layers or ()]
        _refuse_package("UpdateFunctionCode", request, arns)
        return super().update_function_code(context, request)

    @handler("UpdateFunctionConfiguration", expand=False)
    def update_function_configuration(self, context: RequestContext, request: Any) -> Any:
        _refuse(refuse_numbers(request))
        _refuse(refuse_configuration(request))
        function = _function(context, request["FunctionName"])
        if function is not None and request.get("Layers"):
            code = function.latest().config.code
            size = _unpacked_bytes(code) if code is not None else 0
            _refuse(refuse_together(size, _layer_bytes(request["Layers"])))
        return super().update_function_configuration(context, request)

    @handler("PublishLayerVersion")
    def publish_layer_version(
        self, context: RequestContext, layer_name: str, content: Any, **kwargs: Any
    ) -> Any:
        _refuse_package("PublishLayerVersion", content, ())
        return super().publish_layer_version(context, layer_name, content, **kwargs)

    @handler("UpdateAlias")
    def update_alias(
        self,
        context: RequestContext,
        function_name: str,
        name: str,
        function_version: str | None = None,
        routing_config: Any = None,
        **kwargs: Any,
    ) -> Any:
        function = _function(context, function_name)
        alias = function.aliases.get(name) if function is not None else None
        weights = (routing_config or {}).get("AdditionalVersionWeights")
        if alias is not None and weights:
            version = function.versions.get(function_version or alias.function_version)
            self._create_routing_config_model(weights, version)
        return super().update_alias(
            context, function_name, name, function_version, routing_config=routing_config, **kwargs
        )

    def _create_routing_config_model(self, weights: dict[str, float], version: Any = None) -> Any:
        """LocalStack's checks, but a weight may be 1.0; its own update names no version and would
        fail, so that `update_alias` checks before."""
        if version is not None:
            checked = {name: 0.0 if weight == 1.0 else weight for name, weight in weights.items()}
            super()._create_routing_config_model(checked, version)
        return AliasRoutingConfig(version_weights=weights)

    @handler("CreateEventSourceMapping", expand=False)
    def create_event_source_mapping(self, context: RequestContext, request: Any) -> Any:
        _refuse(refuse_numbers(request))
        return super().create_event_source_mapping(context, request)

    @handler("UpdateEventSourceMapping", expand=False)
    def update_event_source_mapping(self, context: RequestContext, request: Any) -> Any:
        _refuse(refuse_numbers(request))
        return super().update_event_source_mapping(context, request)

    @handler("PutFunctionEventInvokeConfig")
    def put_function_event_invoke_config(
        self, context: RequestContext, function_name: str, **settings: Any
    ) -> Any:
        _refuse(_refuse_event_settings(settings))
        return super().put_function_event_invoke_config(context, function_name, **settings)

    @handler("UpdateFunctionEventInvokeConfig")
    def update_function_event_invoke_config(
        self, context: RequestContext, function_name: str, **settings: Any
    ) -> Any:
        _refuse(_refuse_event_settings(settings))
        return super().update_function_event_invoke_config(context, function_name, **settings)

    def _validate_destination_config(self, store: Any, function_name: str, config: Any) -> None:
        """S3 takes failures too, which LocalStack does not know."""
        destination = (config.get("OnFailure") or {}).get("Destination") or ""
        if destination.startswith("arn:aws:s3:::"):
            config = {name: value for name, value in config.items() if name != "OnFailure"}
        super()._validate_destination_config(store, function_name, config)

    @handler("Invoke")
    def invoke(
        self,
        context: RequestContext,
        function_name: str,
        invocation_type: str | None = None,
        payload: IO[bytes] | None = None,
        **kwargs: Any,
    ) -> InvocationResponse:
        content = payload.read() if payload else b""
        _refuse(refuse_invocation_type(invocation_type))
        _refuse(refuse_payload(content, is_event=invocation_type == InvocationType.Event))
        response: InvocationResponse = super().invoke(
            context,
            function_name,
            invocation_type=invocation_type,
            payload=io.BytesIO(content) if content else None,
            **kwargs,
        )
        return response


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise CommonServiceException(
            refusal.code, refusal.message, refusal.status, sender_fault=True
        )


def _refuse_event_settings(settings: Mapping[str, Any]) -> Refusal | None:
    names = {
        "MaximumRetryAttempts": "maximum_retry_attempts",
        "MaximumEventAgeInSeconds": "maximum_event_age_in_seconds",
    }
    given = {name: settings.get(parameter) for name, parameter in names.items()}
    return refuse_numbers(given, EVENT_INVOKE_RANGES)


def _refuse_package(operation: str, given: Mapping[str, Any], layer_arns: Iterable[str]) -> None:
    """`given` names the package: `ZipFile`, or `S3Bucket` and `S3Key`."""
    archive = given.get("ZipFile")
    if archive:
        _refuse(refuse_upload(operation, archive))
    if not (layer_bytes := _layer_bytes(layer_arns)):
        return
    if not archive and given.get("S3Bucket"):
        archive = _object(given)
    if archive:
        _refuse(refuse_content(archive))
        _refuse(refuse_together(unpacked_bytes(archive) or 0, layer_bytes))


def _object(given: Mapping[str, Any]) -> bytes:
    """Nothing where there is no such object: LocalStack refuses that."""
    version = given.get("S3ObjectVersion")
    request = {"VersionId": version} if version else {}
    try:
        answer = connect_to().s3.get_object(Bucket=given["S3Bucket"], Key=given["S3Key"], **request)
    except ClientError:
        return b""
    content: bytes = answer["Body"].read()
    return content


def _function(context: RequestContext, name: str) -> Any:
    """None where there is none: LocalStack refuses that."""
    account_id, region = api_utils.get_account_and_region(name, context)
    name, _ = api_utils.get_name_and_qualifier(name, None, context)
    return lambda_stores[account_id][region].functions.get(name)


def _layer_bytes(arns: Iterable[str]) -> int:
    """How large the layers are together; what does not exist LocalStack refuses."""
    found = 0
    for arn in arns:
        region, account_id, name, version = api_utils.parse_layer_arn(arn)
        layer = lambda_stores[account_id][region].layers.get(name)
        layer_version = layer.layer_versions.get(version) if layer is not None else None
        if layer_version is not None and layer_version.code is not None:
            found += _unpacked_bytes(layer_version.code)
    return found


def _unpacked_bytes(code: Any) -> int:
    code.prepare_for_execution()
    return sum(
        os.lstat(os.path.join(parent, name)).st_size
        for parent, _, names in os.walk(code.get_unzipped_code_location())
        for name in names
    )
