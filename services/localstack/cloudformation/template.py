"""Which resource types a template asks for, and what to say about those nobody knows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: What a transform replaces before anything is deployed.
TRANSFORMED = ("AWS::Serverless::",)


def resource_types(template: Mapping[str, Any]) -> list[str]:
    """The types of a template's resources, each once, in the order of the template."""
    resources = template.get("Resources")
    if not isinstance(resources, Mapping):
        return []
    # `Fn::ForEach::…` and `Fn::Transform` stand among the resources and have no type.
    found = [r.get("Type") for r in resources.values() if isinstance(r, Mapping)]
    return list(dict.fromkeys(t for t in found if isinstance(t, str)))


def refusal(template: Mapping[str, Any], is_known: Callable[[str], bool]) -> str | None:
    """AWS's message for types it does not know; None when every type is known."""
    unknown = [
        name
        for name in resource_types(template)
        if not name.startswith(TRANSFORMED) and not is_known(name)
    ]
    if not unknown:
        return None
    return f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
