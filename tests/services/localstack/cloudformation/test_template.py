"""Which types a template asks for."""

from __future__ import annotations

from typing import Any

import pytest

from services.localstack.cloudformation.template import refusal, resource_types

KNOWN = {"AWS::S3::Bucket", "AWS::SNS::Topic"}


def template(*types: str) -> dict[str, Any]:
    return {"Resources": {f"R{i}": {"Type": name} for i, name in enumerate(types)}}


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (["AWS::S3::Bucket", "AWS::SNS::Topic"], None),
        (["AWS::Serverless::Function"], None),
        (
            ["AWS::S3::Bucket", "AWS::Foo::Bar", "AWS::No::Thing", "AWS::Foo::Bar"],
            "Template format error: Unrecognized resource types: [AWS::Foo::Bar, AWS::No::Thing]",
        ),
    ],
)
def test_unknown_types_are_named(types: list[str], message: str | None) -> None:
    assert refusal(template(*types), KNOWN.__contains__) == message


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"Resources": None},
        {"Resources": {"Fn::ForEach::Topics": ["Name", ["a"], {"T${Name}": {}}]}},
        {"Resources": {"A": {}}},
    ],
)
def test_an_odd_template_is_left_to_cloudformation(odd: dict[str, Any]) -> None:
    assert resource_types(odd) == []
