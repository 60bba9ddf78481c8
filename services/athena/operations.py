"""The operations this Athena answers, listed without loading what answers them."""

from __future__ import annotations

OPERATIONS = (
    "BatchGetNamedQuery", "BatchGetPreparedStatement", "BatchGetQueryExecution",
    "CreateDataCatalog", "CreateNamedQuery", "CreatePreparedStatement", "CreateWorkGroup",
    "DeleteDataCatalog", "DeleteNamedQuery", "DeletePreparedStatement", "DeleteWorkGroup",
    "GetDataCatalog", "GetDatabase", "GetNamedQuery", "GetPreparedStatement", "GetQueryExecution",
    "GetQueryResults", "GetQueryRuntimeStatistics", "GetTableMetadata", "GetWorkGroup",
    "ListApplicationDPUSizes", "ListCapacityReservations", "ListDataCatalogs", "ListDatabases",
    "ListEngineVersions", "ListNamedQueries", "ListPreparedStatements", "ListQueryExecutions",
    "ListTableMetadata", "ListTagsForResource", "ListWorkGroups", "StartQueryExecution",
    "StopQueryExecution", "TagResource", "UntagResource", "UpdateDataCatalog", "UpdateNamedQuery",
    "UpdatePreparedStatement", "UpdateWorkGroup",
)  # fmt: skip
