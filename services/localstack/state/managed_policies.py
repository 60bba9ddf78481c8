"""IAM without AWS's own 1,300 managed policies (3 MB, 100 ms a write): they come with moto."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

from services.localstack.state.pickling import Reduced, maker, reducer


def register() -> None:
    """How IAM's state is written."""
    reducer(IAMBackend)(_iam_backend)
    reducer(AWSManagedPolicy)(_aws_policy)


def _iam_backend(backend: Any) -> Reduced:
    state = dict(vars(backend))
    del state["aws_managed_policies"]
    state["managed_policies"] = {
        arn: policy
        for arn, policy in backend.managed_policies.items()
        # Of AWS's own, those that somebody attached.
        if type(policy) is not AWSManagedPolicy or policy.attachment_count
    }
    return new_iam_backend, (backend.region_name, backend.account_id), state, None, None, _fill


@maker
def new_iam_backend(region_name: str, account_id: str) -> Any:
    return IAMBackend(region_name, account_id)


@maker
def _fill(backend: Any, state: dict[str, Any]) -> None:
    backend.managed_policies |= state.pop("managed_policies")
    backend.aws_managed_policies = [
        backend.managed_policies[policy.arn] for policy in backend.aws_managed_policies
    ]
    vars(backend).update(state)


def _aws_policy(policy: Any) -> Reduced:
    return aws_policy, (policy.account_id, policy.partition, policy.name, policy.attachment_count)


@maker
def aws_policy(account_id: str, partition: str, name: str, attachment_count: int) -> Any:
    """One of AWS's policies, as moto has it."""
    made = AWSManagedPolicy.from_data(
        name, account_id, partition, json.loads(aws_managed_policies_data)[name]
    )
    made.attachment_count = attachment_count
    return made
