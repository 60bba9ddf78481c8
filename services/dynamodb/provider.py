"""LocalStack's DynamoDB with our DynamoDBLocal, or moto's behind one lock where that cannot run."""

from __future__ import annotations

import logging
import platform
import threading
from pathlib import Path
from typing import Any

from localstack.services.plugins import Service, aws_provider

from services.dynamodb import table_settings
from services.dynamodb.data_calls import (
    ITEM_OPERATIONS,
    PREFIX,
    answer_of,
    is_localstacks,
    onward_request,
)
from services.dynamodb.local_server import server_command, why_not_local
from services.localstack.children import tied_command
from services.localstack.data_calls import DataAnswer, DataRequest, LaterAnswer, data_calls
from services.localstack.environment import JARS, JAVA
from services.localstack.front_answers import error_answer
from services.localstack.onward import Onward, OnwardAnswer
from services.localstack.running import running
from services.localstack.state.set_aside import set_aside, set_aside_when_damaged

LOG = logging.getLogger(__name__)


def jars() -> list[Path]:
    """The jars that `scripts/install` fetched, with the native library among them."""
    return sorted((JARS / "dynamodb").glob("*"))


def is_light() -> bool:
    """Whether the light mode answers; logs why when nobody asked for it."""
    wanted = running().settings.dynamodb
    reason = why_not_local(platform.system(), platform.machine(), jars(), JAVA)
    if wanted == "auto" and reason:
        LOG.error(
            "DynamoDB runs in its light mode, in memory and without streams to Lambda: %s", reason
        )
    return wanted == "light" or (wanted == "auto" and reason is not None)


def _db_path() -> Path | None:
    settings = running().settings
    return None if settings.stream_storage == "memory" else settings.data_dir / "dynamodb"


def _use_our_server() -> Any:
    """Teach LocalStack's server our jars, our Java and our folder; the one server there is."""
    from localstack.services.dynamodb import packages, server

    packages.DynamoDBLocalPackageInstaller.install = lambda *_, **__: None
    packages.DynamoDBLocalPackageInstaller.get_java_env_vars = lambda _: {}

    def command(self: Any) -> list[str]:
        db_path = Path(self.db_path) if self.db_path else None
        server = server_command(
            JAVA,
            jars(),
            port=self.port,
            db_path=db_path,
            tmp_path=running().settings.data_dir / "tmp",
            heap=str(self.heap_size),
        )
        return tied_command(server, without_fsync=running().settings.stream_sync == "os")

    server.DynamodbServer._create_shell_command = command
    the_server = server.DynamodbServer.get()
    path = _db_path()
    for file in sorted(path.glob("*.db")) if path else ():
        set_aside_when_damaged(file, f"DynamoDB ({file.stem})")
    the_server.db_path = str(path) if path else None
    the_server._host = "127.0.0.1"
    _hand_items_on(the_server)
    return the_server


def _keep_table_settings(file: Path) -> None:
    from localstack.aws import handlers
    from localstack.services.dynamodb.models import dynamodb_stores

    try:
        table_settings.load(dynamodb_stores, file)
    except table_settings.UNREADABLE as why:
        set_aside(file, "the store of tables' time to live and tags", why)

    def save(chain: Any, context: Any, response: Any) -> None:
        if not context.operation or context.service.service_name != "dynamodb":
            return
        if context.operation.name in table_settings.CHANGING and response.status_code < 400:
            table_settings.save(dynamodb_stores, file)

    handlers.run_custom_response_handlers.append(save)


def _hand_items_on(the_server: Any) -> None:
    """From now on calls on items skip LocalStack's chain."""
    from localstack import config
    from localstack.services.dynamodb.models import dynamodb_stores

    onward = Onward("127.0.0.1", the_server.port)
    injects_faults = any(
        (
            config.DYNAMODB_ERROR_PROBABILITY,
            config.DYNAMODB_READ_ERROR_PROBABILITY,
            config.DYNAMODB_WRITE_ERROR_PROBABILITY,
        )
    )

    def is_up() -> bool:
        thread = the_server._thread
        process = thread.process if thread else None
        return process is not None and process.poll() is None

    def has_replicas() -> bool:
        """Tables of another region are found by LocalStack alone."""
        return any(store.REPLICAS for _, _, store in dynamodb_stores.iter_stores())

    def call(request: DataRequest) -> LaterAnswer | None:
        if is_localstacks(request) or not is_up() or has_replicas():
            return None
        return LaterAnswer(
            lambda answered: onward.send(
                onward_request(request), lambda answer: answered(_told(answer))
            )
        )

    if not injects_faults:
        data_calls.update({f"{PREFIX}{name}": call for name in ITEM_OPERATIONS})


def _told(answer: OnwardAnswer | None) -> DataAnswer:
    if answer is None:
        message = "DynamoDBLocal did not answer; it is being started again."
        return error_answer(500, "InternalServerError", message)
    return answer_of(*answer)


@aws_provider(api="dynamodb", name="riacho")
def dynamodb() -> Service:
    """DynamoDB."""
    if is_light():
        return _moto_behind_a_lock("dynamodb")
    from localstack.aws.forwarder import HttpFallbackDispatcher
    from localstack.services.dynamodb.v2.provider import DynamoDBProvider

    _use_our_server()
    if path := _db_path():
        _keep_table_settings(path.with_name("dynamodb.tables"))
    return Service.for_provider(
        DynamoDBProvider(),
        dispatch_table_factory=lambda p: HttpFallbackDispatcher(p, p.get_forward_url),
    )


@aws_provider(api="dynamodbstreams", name="riacho")
def dynamodbstreams() -> Service:
    """The change streams of tables."""
    if is_light():
        return _moto_behind_a_lock("dynamodbstreams")
    from localstack.services.dynamodbstreams.v2.provider import DynamoDBStreamsProvider

    _use_our_server()
    return Service.for_provider(DynamoDBStreamsProvider())


#: moto's conditional writes read, compare and write: without a lock two of them can both win.
_LIGHT_LOCK = threading.RLock()


def _moto_behind_a_lock(name: str) -> Service:
    from localstack.aws.skeleton import Skeleton
    from localstack.aws.spec import load_service
    from localstack.services import moto

    def locked(context: Any, request: Any) -> Any:
        with _LIGHT_LOCK:
            return moto.call_moto(context)

    moto.load_moto_routing_table(name)
    model = load_service(name)
    service = Service(
        name=name, skeleton=Skeleton(model, dict.fromkeys(model.operation_names, locked))
    )
    service._provider = None
    return service
