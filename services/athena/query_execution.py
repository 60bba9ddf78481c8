"""One query execution: its states, its clock times, and AWS's shape of it."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import Any

from services.athena.execution_engine import QueryContext
from services.athena.result_store import is_managed
from services.athena.statements import Kind

Shape = dict[str, Any]
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
ENGINE_VERSION = {
    "SelectedEngineVersion": "AUTO",
    "EffectiveEngineVersion": "Athena engine version 3",
}


@dataclass
class QueryExecution:
    """Times are epoch seconds. `output_location` is the full object key once submitted."""

    query_execution_id: str
    query: str
    kind: Kind
    work_group: str
    database: str
    output_location: str
    submitted_at: float
    region: str
    account_id: str
    catalog: str = "AwsDataCatalog"
    execution_parameters: tuple[str, ...] = ()
    reuse_minutes: int | None = None
    encryption: Shape | None = None
    state: str = "QUEUED"
    reason: str | None = None
    error: Shape | None = None
    started_at: float | None = None
    ended_at: float | None = None
    engine_millis: int = 0
    planning_millis: int = 0
    data_scanned_in_bytes: int = 0
    data_manifest_location: str | None = None
    reused_previous_result: bool = False
    update_count: int | None = None
    substatement_type: str | None = None
    columns: list[Shape] = field(default_factory=list)
    context: QueryContext | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def scope(self) -> str:
        return f"{self.account_id}/{self.region}"

    @property
    def has_header(self) -> bool:
        """SELECT answers repeat the column names as their first row."""
        return self.output_location.endswith(".csv") and "-manifest" not in self.output_location

    def shape(self) -> Shape:
        """GetQueryExecution's QueryExecution."""
        managed = is_managed(self.output_location)
        configuration: Shape = {} if managed else {"OutputLocation": self.output_location}
        if self.encryption:
            configuration["EncryptionConfiguration"] = self.encryption
        found: Shape = {
            "QueryExecutionId": self.query_execution_id,
            "Query": self.query,
            "StatementType": self.kind.statement_type,
            "SubstatementType": self.substatement_type or self.kind.substatement_type,
            "ResultConfiguration": configuration,
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": self._reuse()},
            "QueryExecutionContext": {"Database": self.database, "Catalog": self.catalog.lower()},
            "Status": self._status(),
            "Statistics": self._statistics(),
            "WorkGroup": self.work_group,
            "EngineVersion": ENGINE_VERSION,
        }
        if managed:
            found["ManagedQueryResultsConfiguration"] = {"Enabled": True}
        if self.execution_parameters:
            found["ExecutionParameters"] = list(self.execution_parameters)
        return found

    def _reuse(self) -> Shape:
        if self.reuse_minutes is None:
            return {"Enabled": False}
        return {"Enabled": True, "MaxAgeInMinutes": self.reuse_minutes}

    def _status(self) -> Shape:
        found: Shape = {"State": self.state, "SubmissionDateTime": self.submitted_at}
        if self.reason:
            found["StateChangeReason"] = self.reason
        if self.ended_at is not None:
            found["CompletionDateTime"] = self.ended_at
        if self.error:
            found["AthenaError"] = self.error
        return found

    def _statistics(self) -> Shape:
        started = self.started_at if self.started_at is not None else self.ended_at
        queued = math.ceil(1000 * ((started or self.submitted_at) - self.submitted_at))
        found: Shape = {
            "EngineExecutionTimeInMillis": self.engine_millis,
            "DataScannedInBytes": self.data_scanned_in_bytes,
            "QueryQueueTimeInMillis": max(0, queued),
            "ServicePreProcessingTimeInMillis": 0,
            "QueryPlanningTimeInMillis": self.planning_millis,
            "ServiceProcessingTimeInMillis": 0,
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused_previous_result},
        }
        if self.ended_at is not None:
            found["TotalExecutionTimeInMillis"] = max(
                0, int(1000 * (self.ended_at - self.submitted_at))
            )
        if self.data_manifest_location and not is_managed(self.output_location):
            found["DataManifestLocation"] = self.data_manifest_location
        return found

    def saved(self) -> Shape:
        """For the state on disk."""
        return {
            "shape": self.shape(), "region": self.region, "account_id": self.account_id,
            "columns": self.columns, "update_count": self.update_count, "family": self.kind.family,
            "output_location": self.output_location,
            "data_manifest_location": self.data_manifest_location,
        }  # fmt: skip


def restored(saved: Shape) -> QueryExecution:
    """From the state on disk."""
    shape = saved["shape"]
    status, statistics = shape["Status"], shape["Statistics"]
    found = QueryExecution(
        query_execution_id=shape["QueryExecutionId"],
        query=shape["Query"],
        kind=Kind(saved["family"], shape["StatementType"], shape["SubstatementType"]),
        work_group=shape["WorkGroup"],
        database=shape["QueryExecutionContext"]["Database"],
        output_location=saved["output_location"],
        submitted_at=status["SubmissionDateTime"],
        region=saved["region"],
        account_id=saved["account_id"],
        execution_parameters=tuple(shape.get("ExecutionParameters", ())),
        reuse_minutes=shape["ResultReuseConfiguration"]["ResultReuseByAgeConfiguration"].get(
            "MaxAgeInMinutes"
        ),
        state=status["State"],
        reason=status.get("StateChangeReason"),
        error=status.get("AthenaError"),
        ended_at=status.get("CompletionDateTime"),
        engine_millis=statistics["EngineExecutionTimeInMillis"],
        planning_millis=statistics["QueryPlanningTimeInMillis"],
        data_scanned_in_bytes=statistics["DataScannedInBytes"],
        data_manifest_location=saved.get("data_manifest_location")
        or statistics.get("DataManifestLocation"),
        encryption=shape["ResultConfiguration"].get("EncryptionConfiguration"),
        reused_previous_result=statistics["ResultReuseInformation"]["ReusedPreviousResult"],
        update_count=saved["update_count"],
        columns=saved["columns"],
    )
    found.started_at = found.submitted_at + statistics["QueryQueueTimeInMillis"] / 1000
    found.ended.set()
    return found
