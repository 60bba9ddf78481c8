"""PyIceberg's Glue catalog on our Glue, in the same process."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog.glue import GlueCatalog

from services.athena.catalog import Catalog
from services.athena.iceberg.files import StoreFileIO
from services.athena.object_store import ObjectStore


class EntityNotFoundException(Exception):
    """As botocore makes it from Glue's answer."""


class AlreadyExistsException(Exception):
    """As botocore makes it from Glue's answer."""


class ConcurrentModificationException(Exception):
    """Another commit came first: PyIceberg tries again or gives up."""


_RAISED: dict[str, type[Exception]] = {
    raised.__name__: raised
    for raised in (EntityNotFoundException, AlreadyExistsException, ConcurrentModificationException)
}


class _Exceptions:
    EntityNotFoundException = EntityNotFoundException
    AlreadyExistsException = AlreadyExistsException
    ConcurrentModificationException = ConcurrentModificationException


class _GlueClient:
    """The calls of a boto3 client that PyIceberg makes."""

    exceptions = _Exceptions()

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        try:
            return self._catalog.call(operation, **request)
        except Exception as error:
            raised = _RAISED.get(getattr(error, "code", ""))
            if raised is None:
                raise
            raise raised(str(error)) from None

    def get_table(self, **request: Any) -> Any:
        return self._call("GetTable", request)

    def create_table(self, **request: Any) -> Any:
        return self._call("CreateTable", _with_current_columns(request))

    def update_table(self, **request: Any) -> Any:
        request.pop("SkipArchive", None)
        return self._call("UpdateTable", _with_current_columns(request))

    def get_database(self, **request: Any) -> Any:
        return self._call("GetDatabase", request)


def _with_current_columns(request: dict[str, Any]) -> dict[str, Any]:
    """PyIceberg lists dropped columns, too; whoever reads the catalog would show them."""
    stored = request["TableInput"]["StorageDescriptor"]
    stored["Columns"] = [
        column
        for column in stored["Columns"]
        if (column.get("Parameters") or {}).get("iceberg.field.current") != "false"
    ]
    return request


class OurCatalog(GlueCatalog):
    """One account's and region's Iceberg tables."""

    def __init__(self, catalog: Catalog, store: ObjectStore) -> None:
        self._store = store
        super().__init__("awsdatacatalog", client=_GlueClient(catalog))

    def _load_file_io(self, properties: Any = None, location: str | None = None) -> Any:
        return StoreFileIO(self._store, dict(properties or {}))
