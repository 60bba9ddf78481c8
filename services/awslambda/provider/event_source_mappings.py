"""LocalStack's workers of event source mappings, with our poller for streams."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from typing import Any

from localstack.aws.api import CommonServiceException, ServiceException
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmState, EsmWorker
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.utils.event_matcher import matches_event
from localstack.utils.strings import long_uid
from localstack.utils.threads import FuncThread
from localstack.utils.xray.trace_header import TraceHeader

from services.awslambda.event_source_mapping import on_failure
from services.awslambda.event_source_mapping.dynamodb_source import DynamoDBSource
from services.awslambda.event_source_mapping.filtering import Filters
from services.awslambda.event_source_mapping.kinesis_source import KinesisSource
from services.awslambda.event_source_mapping.lane import CannotInvoke, Invoked
from services.awslambda.event_source_mapping.mapping import from_configuration
from services.awslambda.event_source_mapping.positions import Positions
from services.awslambda.event_source_mapping.retrying import Discarded
from services.awslambda.event_source_mapping.shard_poller import ShardPoller
from services.awslambda.event_source_mapping.source import StreamSource
from services.awslambda.event_source_mapping.stream_poller import StreamPoller
from services.awslambda.provider import kept_state
from services.awslambda.provider.asynchronous_invocations import internal_client
from services.awslambda.provider.function_metrics import Measured, metrics
from services.kinesis.kinesis import make_kinesis
from services.localstack.running import running

LOG = logging.getLogger(__name__)

#: Two workers never read for one mapping: an update waits for the invocation under way.
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
#: By mapping, so that the worker of an update goes on where the former one is.
_positions: dict[str, Positions] = {}


class StreamWorkerFactory(EsmWorkerFactory):
    """Ours for Kinesis and DynamoDB streams, LocalStack's for everything else (SQS)."""

    @property
    def lambda_service(self) -> LambdaService:
        """The service that runs functions now; the provider knows."""
        raise NotImplementedError

    def get_esm_worker(self) -> EsmWorker:
        service = self.esm_config.get("EventSourceArn", "").split(":")[2:3]
        if service not in (["kinesis"], ["dynamodb"]):
            return super().get_esm_worker()
        return StreamWorker(
            self.esm_config, self.function_role_arn, self.enabled, self.lambda_service
        )


class StreamWorker(EsmWorker):
    """One mapping of a stream through its states, and what its shards share."""

    def __init__(
        self,
        esm_config: dict[str, Any],
        role_arn: str,
        enabled: bool,
        lambda_service: LambdaService,
    ) -> None:
        super().__init__(esm_config, poller=None, enabled=enabled)
        self._lambda_service = lambda_service
        self._role_arn = role_arn
        self._mapping = from_configuration(esm_config)
        self._stream_poller: StreamPoller | None = None

    # -- states; see EsmWorker ---------------------------------------------------------------

    def start(self) -> None:
        with self._state_lock:
            self.enabled = True
            # A new mapping stays `Creating` until its poller runs.
            if not self._is_new():
                self.current_state = EsmState.ENABLING
        self._shutdown_event.clear()
        # Positions begin now, not when the thread comes to run: LATEST means from here on.
        self._positions = _positions_of(self.uuid)
        self._started_at = self._positions.start(running().clock.now())
        self._poller_thread = FuncThread(self._run, name=f"lambda-mapping-{self.uuid}")
        self._poller_thread.start()

    def _is_new(self) -> bool:
        return bool(self.current_state == EsmState.CREATING)

    def stop(self) -> None:
        super().stop()
        self._stop_polling()

    def delete(self) -> None:
        super().delete()
        self._stop_polling()
        if not self.enabled:
            # Nothing runs that could do it.
            self._forget()

    def stop_for_shutdown(self) -> None:
        super().stop_for_shutdown()
        self._stop_polling()

    def _stop_polling(self) -> None:
        if self._stream_poller is not None:
            self._stream_poller.stop()

    def _run(self, *_: object) -> None:
        with _turns[self.uuid]:
            try:
                if not self._shutdown_event.is_set():
                    self._poll()
            except Exception:
                LOG.exception("Event source mapping %s ended", self.uuid)
            self._settle()

    def _poll(self) -> None:
        with self._state_lock:
            self.current_state = EsmState.ENABLED
            self.update_esm_state_in_store(EsmState.ENABLED)
        source = self._source()
        filters = Filters(self._mapping.filter_patterns, _matches)

        def make_shard_poller(shard_id: str, stop: threading.Event) -> ShardPoller:
            return ShardPoller(
                shard_id, self._mapping, source, filters, self._positions, self, stop
            )

        self._stream_poller = StreamPoller(
            self._mapping, source, self._positions, make_shard_poller, self.tell
        )
        if self._shutdown_event.is_set():
            self._stream_poller.stop()
        self._stream_poller.run()

    def _settle(self) -> None:
        """What the mapping is once nothing of it runs any more."""
        if self.current_state == EsmState.DELETING:
            self._forget()
        elif not self.enabled and self.uuid in self._state.event_source_mappings:
            with self._state_lock:
                self.current_state = EsmState.DISABLED
            self.update_esm_state_in_store(EsmState.DISABLED)

    def _forget(self) -> None:
        _positions_of(self.uuid).delete()
        _positions.pop(self.uuid, None)
        self.delete_esm_in_store()
        kept_state.save()

    def _source(self) -> StreamSource:
        arn = self._mapping.event_source_arn
        if arn.split(":")[2] == "kinesis":
            kinesis = running().core("kinesis", make_kinesis)
            return KinesisSource(kinesis, self._mapping, self._role_arn, self._started_at)
        return DynamoDBSource(get_internal_client(arn), self._mapping)

    # -- what shards have done for them; see Surroundings ------------------------------------

    def now(self) -> float:
        return running().clock.now()

    def invoke(self, payload: bytes) -> Invoked:
        name, qualifier, account_id, region = function_locators_from_arn(self._mapping.function_arn)
        request_id = long_uid()
        trace = {"aws_trace_header": TraceHeader().ensure_root_exists()}
        try:
            result = self._lambda_service.invoke(
                function_name=name,
                qualifier=qualifier,
                region=region,
                account_id=account_id,
                invocation_type="RequestResponse",
                client_context=None,
                request_id=request_id,
                payload=payload,
                trace_context=trace,
            )
        except (ServiceException, CommonServiceException) as error:
            raise CannotInvoke(str(error)) from error
        return Invoked(request_id, result.payload or b"", result.is_error, result.executed_version)

    def tell_age(self, seconds: float) -> None:
        name, _, account_id, region = function_locators_from_arn(self._mapping.function_arn)
        measured = Measured(account_id, region, name, "IteratorAge", "Milliseconds")
        metrics().measure(measured, float(round(max(0.0, seconds) * 1000)))

    def give_up(self, shard_id: str, discarded: Discarded) -> None:
        on_failure.send(self._mapping, shard_id, discarded, self.now(), self._client_of)

    def tell(self, result: str) -> None:
        stored = self._state.event_source_mappings.get(self.uuid)
        if stored is not None:
            stored["LastProcessingResult"] = result

    def _client_of(self, service: str, arn: str) -> Any:
        return internal_client(service, arn, self._mapping.function_arn)


def _matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    return bool(matches_event(pattern, event))


def _positions_of(uuid: str) -> Positions:
    settings = running().settings
    path = settings.data_dir.resolve() / "lambda" / "positions" / f"{uuid}.json"
    kept = path if settings.stream_storage == "disk" else None
    return _positions.setdefault(uuid, Positions(kept))
