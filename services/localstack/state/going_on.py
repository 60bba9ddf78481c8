"""What a service takes up again once its state is back: rules, schedules, alarms, stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from localstack.services.plugins import Service

#: A stack's work ends with the engine's process.
INTERRUPTED = "The engine ended while this was in progress."


def events(service: Service) -> None:
    """LocalStack keeps rules apart from what matches them and from the schedules' jobs."""
    from localstack.services.events.api_destination import APIDestinationService
    from localstack.services.events.archive import ArchiveService
    from localstack.services.events.connection import ConnectionService
    from localstack.services.events.event_bus import EventBusService
    from localstack.services.events.models import events_stores
    from localstack.services.events.rule import RuleService

    provider: Any = service._provider
    for account_id, region, store in events_stores.iter_stores():
        for bus in store.event_buses.values():
            provider._event_bus_services_store[bus.arn] = EventBusService(bus)
            for rule in bus.rules.values():
                provider._rule_services_store[rule.arn] = rule_service = RuleService(rule)
                for target in rule.targets.values():
                    provider.create_target_sender(target, rule.arn, rule.name, region, account_id)
                if rule.schedule_expression and rule.targets:
                    job = provider._get_scheduled_rule_job_function(account_id, region, rule)
                    rule_service.create_schedule_job(job)
        for archive in store.archives.values():
            created = archive.creation_time
            provider._archive_service_store[archive.arn] = ArchiveService(archive)
            archive.creation_time = created
        for connection in store.connections.values():
            made = ConnectionService.__new__(ConnectionService)
            made.connection = connection
            provider._connection_service_store[connection.arn] = made
        for destination in store.api_destinations.values():
            there = APIDestinationService.__new__(APIDestinationService)
            there.api_destination = destination
            provider._api_destination_service_store[destination.arn] = there


def cloudwatch(service: Service) -> None:
    """Alarms are evaluated again."""
    from localstack.services.cloudwatch.models import cloudwatch_stores

    scheduler: Any = service._provider.alarm_scheduler
    for _, _, store in cloudwatch_stores.iter_stores():
        for arn, alarm in list(store.alarms.items()):
            if "MetricName" in alarm.alarm:
                scheduler.schedule_metric_alarm(arn)


def cloudformation(service: Service) -> None:
    """What was in progress has failed: nobody works on it any more."""
    for stack in _stacks():
        if str(stack.status).endswith("_IN_PROGRESS"):
            for resource_id, state in list(stack.resource_states.items()):
                if state["ResourceStatus"].endswith("_IN_PROGRESS"):
                    stack.set_resource_status(
                        logical_resource_id=resource_id,
                        physical_resource_id=state.get("PhysicalResourceId"),
                        resource_type=state["ResourceType"],
                        status=_failed(state["ResourceStatus"]),
                        resource_status_reason=INTERRUPTED,
                    )
            stack.set_stack_status(_failed(stack.status), INTERRUPTED)
            if _failed(stack.status) == "DELETE_FAILED":
                stack.deletion_time = None
    for change_set in _change_sets():
        if change_set.status == "CREATE_IN_PROGRESS":
            change_set.status, change_set.status_reason = "FAILED", INTERRUPTED
        if change_set.execution_status == "EXECUTE_IN_PROGRESS":
            change_set.execution_status = "EXECUTE_FAILED"


def cloudformation_is_busy() -> bool:
    """Whether some stack is on its way."""
    return any(str(stack.status).endswith("_IN_PROGRESS") for stack in _stacks())


def functions_are_busy() -> bool:
    """Whether a function or a mapping is on its way to another state."""
    from services.awslambda.provider.kept_state import changes_by_itself

    return changes_by_itself()


def executions_are_busy() -> bool:
    """Whether some state machine runs."""
    from localstack.services.stepfunctions.backend.store import sfn_stores

    return any(
        execution.exec_status == "RUNNING"
        for _, _, store in list(sfn_stores.iter_stores())
        for execution in list(store.executions.values())
    )


def domains_are_busy() -> bool:
    """Whether some OpenSearch domain is being made or removed."""
    from localstack.services.opensearch.models import opensearch_stores

    return any(
        domain.get("Processing") or domain.get("UpgradeProcessing")
        for _, _, store in list(opensearch_stores.iter_stores())
        for domain in list(store.opensearch_domains.values())
    )


def _failed(status: str) -> str:
    """The status that AWS gives an interrupted operation."""
    if "CLEANUP" in status:
        return status.replace("_CLEANUP_IN_PROGRESS", "")
    return str(status).replace("_IN_PROGRESS", "_FAILED").replace("REVIEW_FAILED", "CREATE_FAILED")


def _stacks() -> Iterator[Any]:
    from localstack.services.cloudformation.stores import cloudformation_stores

    for _, _, store in list(cloudformation_stores.iter_stores()):
        yield from list(store.stacks_v2.values())


def _change_sets() -> Iterator[Any]:
    from localstack.services.cloudformation.stores import cloudformation_stores

    for _, _, store in list(cloudformation_stores.iter_stores()):
        yield from list(store.change_sets.values())


#: Called before the service answers its first call.
BEFORE_CALLS: dict[str, Callable[[Service], None]] = {
    "events": events,
    "cloudformation": cloudformation,
}
#: Called in a thread of its own, as it calls the service.
AFTER_START: dict[str, Callable[[Service], None]] = {"cloudwatch": cloudwatch}

IS_BUSY: dict[str, Callable[[], bool]] = {
    "cloudformation": cloudformation_is_busy,
    "lambda": functions_are_busy,
    "opensearch": domains_are_busy,
    "stepfunctions": executions_are_busy,
}
