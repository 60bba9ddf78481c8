"""A service's stores as rows: one for each account and region, and one for what they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localstack.services.plugins import Service
from localstack.services.stores import AccountRegionBundle
from localstack.state import StateVisitor
from moto.core.base_backend import BackendDict

#: Attributes of a store that hold its own data begin so.
_LOCAL = "attr_"


class _Collecting(StateVisitor):
    def __init__(self) -> None:
        self.containers: list[Any] = []

    def visit(self, state_container: Any) -> None:
        self.containers.append(state_container)


def containers(service: Service) -> list[Any]:
    """Everything that the service keeps, in its own order."""
    collecting = _Collecting()
    service.accept_state_visitor(collecting)
    return collecting.containers


def rows(service: Service) -> Iterator[tuple[str, Any]]:
    """Name and content of every row, as objects."""
    for position, container in enumerate(containers(service)):
        if isinstance(container, AccountRegionBundle):
            yield from _rows_of_bundle(f"{position}", container)
        elif isinstance(container, BackendDict):
            for account_id, regions in list(container.items()):
                for region, backend in list(dict.items(regions)):
                    yield f"{position}/{account_id}/{region}", backend
        # Folders (`AssetDirectory`) lie in the data folder: see `provider.install`.


def _rows_of_bundle(position: str, bundle: Any) -> Iterator[tuple[str, Any]]:
    if bundle._universal:
        yield position, dict(bundle._universal)
    for account_id, regions in list(dict.items(bundle)):
        if regions._global:
            yield f"{position}/{account_id}", dict(regions._global)
        for region, store in list(dict.items(regions)):
            own = {k: v for k, v in list(vars(store).items()) if k.startswith(_LOCAL)}
            if any(_says_something(value) for value in own.values()):
                yield f"{position}/{account_id}/{region}", own


def _says_something(value: Any) -> bool:
    """Reading a store makes empty dicts; a store of nothing else needs no row."""
    return not (isinstance(value, dict | list | set) and not value)


def put_back(service: Service, name: str, content: Any) -> None:
    """Put one row where it was."""
    position, *place = name.split("/")
    container = containers(service)[int(position)]
    if isinstance(container, BackendDict):
        account_id, region = place
        dict.__setitem__(container[account_id], region, content)
    elif not place:
        container._universal.update(content)
    elif len(place) == 1:
        container[place[0]]._global.update(content)
    else:
        account_id, region = place
        for attribute, value in content.items():
            setattr(container[account_id][region], attribute, value)


def forget(service: Service) -> None:
    """Empty every store."""
    for container in containers(service):
        if isinstance(container, AccountRegionBundle):
            container.reset()
        elif isinstance(container, BackendDict):
            for regions in container.values():
                dict.clear(regions)
