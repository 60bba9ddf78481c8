"""Where LocalStack finds our CloudFormation. Its engine is imported at CloudFormation's first use:
LocalStack imports this file, as every plug-in's, at the first call to any service."""

from __future__ import annotations

from localstack.services.plugins import Service, aws_provider


@aws_provider(api="cloudformation", name="riacho")
def cloudformation() -> Service:
    """CloudFormation."""
    from services.localstack.cloudformation.service import CloudFormation

    return Service.for_provider(CloudFormation())
