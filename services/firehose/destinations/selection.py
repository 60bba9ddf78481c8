"""Which destinations a configuration delivers to, by the buffers that it fills."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from services.clock import Clock
from services.firehose.buffers import BACKUP, DESTINATION, ERROR
from services.firehose.configuration import Configuration
from services.firehose.destinations.destination import Destination, StreamIdentity
from services.firehose.destinations.http_endpoint import HttpEndpointDestination
from services.firehose.destinations.opensearch import EndpointUnknown, OpenSearchDestination
from services.firehose.destinations.s3 import Converter, S3Destination

#: Makes a client: service, region, account id.
type ClientOf = Callable[[str, str, str], Any]


def destinations_of(
    stream: StreamIdentity, configuration: Configuration, client_of: ClientOf, clock: Clock
) -> dict[str, Destination]:
    """For `destination`, `backup` and `error` buffers."""

    def s3() -> Any:
        return client_of("s3", stream.region, stream.account_id)

    version_id = configuration.version_id
    bucket = S3Destination(stream, configuration.bucket, version_id, s3)
    make = _MAKERS.get(configuration.kind.name)
    if make is not None:
        destination = make(stream, configuration, client_of)
    elif configuration.converts:
        converter = _converter(stream, configuration, client_of, clock)
        destination = S3Destination(stream, configuration.content, version_id, s3, converter)
    else:
        destination = bucket
    # An update may end a backup while records wait for it: they go to the bucket then.
    found: dict[str, Destination] = {ERROR: bucket, DESTINATION: destination, BACKUP: bucket}
    if configuration.backup is not None:
        found[BACKUP] = S3Destination(stream, configuration.backup, version_id, s3)
    return found


def _converter(
    stream: StreamIdentity, configuration: Configuration, client_of: ClientOf, clock: Clock
) -> Converter:
    # PyArrow is heavy; an engine without conversions does not load it.
    from services.firehose.conversion import FormatConversion, glue_schema

    wanted = configuration.content["DataFormatConversionConfiguration"]
    schema = {"Region": stream.region, **wanted["SchemaConfiguration"]}

    def client(region: str) -> Any:
        return client_of("glue", region, stream.account_id)

    return FormatConversion(wanted, lambda: glue_schema(schema, client), clock)


def _opensearch(
    stream: StreamIdentity, configuration: Configuration, client_of: ClientOf
) -> Destination:
    content = configuration.content
    address = content.get("ClusterEndpoint") or content.get("CollectionEndpoint")

    def endpoint() -> str:
        return address or _domain_endpoint(content["DomainARN"], client_of, stream.account_id)

    return OpenSearchDestination(stream, configuration, endpoint)


def _domain_endpoint(domain_arn: str, client_of: ClientOf, account_id: str) -> str:
    client = client_of("opensearch", domain_arn.split(":")[3], account_id)
    name = domain_arn.rpartition("/")[2]
    try:
        status = client.describe_domain(DomainName=name)["DomainStatus"]
    except ClientError as error:
        raise EndpointUnknown(error.response["Error"].get("Message", str(error))) from None
    if not status.get("Endpoint"):
        raise EndpointUnknown(f"Domain {name} has no endpoint yet.")
    address: str = status["Endpoint"]
    return address if "://" in address else f"http://{address}"


def _http_endpoint(
    stream: StreamIdentity, configuration: Configuration, client_of: ClientOf
) -> Destination:
    return HttpEndpointDestination(stream, configuration)


_MAKERS: dict[str, Callable[[StreamIdentity, Configuration, ClientOf], Destination]] = {
    "Amazonopensearchservice": _opensearch,
    "Elasticsearch": _opensearch,
    "AmazonOpenSearchServerless": _opensearch,
    "HttpEndpoint": _http_endpoint,
}
