"""Listing, splitting, merging and scaling shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kinesis.arn import Caller, StreamKey
from services.kinesis.errors import (
    KinesisError,
    invalid_argument,
    limit_exceeded,
    resource_in_use,
    shard_not_found,
)
from services.kinesis.list_shards import (
    Page,
    decode_page,
    encode_page,
    matching,
    parse_filter,
)
from services.kinesis.live_stream import LiveStream
from services.kinesis.operation import (
    Answer,
    Operation,
    Request,
    require_active,
    require_created_at,
)
from services.kinesis.operations_on_streams import check_shard_limit, describe_limits
from services.kinesis.shard import (
    Shard,
    Split,
    are_adjacent,
    describe,
    plan_uniform_scaling,
)
from services.kinesis.stream import CREATING, ON_DEMAND, UPDATING, Stream

if TYPE_CHECKING:
    from services.kinesis.kinesis import Kinesis

_PAGE = 1000
#: What a page token stands for already, besides the stream.
_NOT_WITH_TOKEN = ("ExclusiveStartShardId", "StreamCreationTimestamp")
_SCALINGS_PER_DAY = 10
_MOST_SHARDS = 10_000
_DAY = 24 * 3600


def list_shards(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    now = kinesis.clock.now()
    live, page = _page(kinesis, caller, request, now)
    if live.state.status(now) == CREATING:
        raise resource_in_use(
            f"Stream {live.state.name} under account {live.state.account_id} not ACTIVE, "
            f"instead in state {CREATING}"
        )
    with live.lock:
        horizon = max(live.state.trim_horizon(now), live.state.created_at)
        shards = matching(live.state.live_shards(now), page.filter, horizon)
        shards = [shard for shard in shards if shard.shard_id > page.after]
        limit = min(request.get("MaxResults") or _PAGE, _PAGE)
        answer: Answer = {"Shards": [describe(shard) for shard in shards[:limit]]}
    if len(shards) > limit:
        last = shards[limit - 1].shard_id
        answer["NextToken"] = encode_page(page._replace(after=last, created_millis=int(now * 1000)))
    return answer


def _page(
    kinesis: Kinesis, caller: Caller, request: Request, now: float
) -> tuple[LiveStream, Page]:
    names = [n for n in ("StreamName", "StreamARN") if request.get(n) is not None]
    if (token := request.get("NextToken")) is None:
        if not names and request.get("StreamId") is None:
            raise invalid_argument("Either NextToken or StreamName should be provided.")
        live = kinesis.find(caller, request)
        require_created_at(live, request)
        state, after = live.state, request.get("ExclusiveStartShardId") or ""
        shard_filter = parse_filter(request.get("ShardFilter"))
        return live, Page(
            state.account_id, state.region, state.name, state.stream_id, after, shard_filter, 0
        )
    names += [n for n in _NOT_WITH_TOKEN if request.get(n) is not None]
    if names:
        raise invalid_argument(f"NextToken and {names[0]} cannot be provided together.")
    page = decode_page(token, int(now * 1000))
    live = kinesis.find_key(StreamKey(page.account_id, page.region, page.stream_name))
    if live.state.stream_id != page.stream_id:
        raise invalid_argument(f"NextToken {token} is invalid.")
    return live, page


def split_shard(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    at = int(request["NewStartingHashKey"])
    with live.lock:
        _require_resharding(live, now)
        shard = _open_shard(live.state, request["ShardToSplit"])
        start, end = shard.hash_key_range
        if not start + 1 < at < end:
            raise invalid_argument(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.shard_id} in "
                f"stream {live.state.name} under account {live.state.account_id} is not both "
                f"greater than one plus the shard's StartingHashKey {start} and less than the "
                f"shard's EndingHashKey {end}."
            )
        check_shard_limit(describe_limits(kinesis, caller, {})["OpenShardCount"], 1, caller)
        live.state.split(shard, at, now)
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
    return {}


def merge_shards(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    names = request["ShardToMerge"], request["AdjacentShardToMerge"]
    with live.lock:
        _require_resharding(live, now)
        shard, adjacent = (_open_shard(live.state, name) for name in names)
        if not are_adjacent(shard.hash_key_range, adjacent.hash_key_range):
            raise invalid_argument(
                f"Shards {names[0]} and {names[1]} in stream {live.state.name} under account "
                f"{live.state.account_id} are not an adjacent pair of shards eligible for merging"
            )
        live.state.merge(shard, adjacent, now)
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
    return {}


def _require_resharding(live: LiveStream, now: float) -> None:
    if live.state.mode == ON_DEMAND:
        raise KinesisError(
            "ValidationException",
            f"Request is invalid. Stream {live.state.name} under account "
            f"{live.state.account_id} is in On-Demand mode.",
        )
    require_active(live, now)


def _open_shard(state: Stream, shard_id: str) -> Shard:
    shard = next((s for s in state.shards if s.shard_id == shard_id), None)
    if shard is None:
        raise shard_not_found(shard_id, state.name, state.account_id)
    if not shard.is_open:
        raise invalid_argument(
            f"Shard {shard_id} in stream {state.name} under account {state.account_id} has "
            "already been merged or split, and thus is not eligible for merging or splitting."
        )
    return shard


def update_shard_count(kinesis: Kinesis, caller: Caller, request: Request) -> Answer:
    live, now = kinesis.find(caller, request), kinesis.clock.now()
    target = request["TargetShardCount"]
    with live.lock:
        _require_resharding(live, now)
        current = len(live.state.open_shards())
        _check_scaling(live.state, current, target, now)
        open_count = describe_limits(kinesis, caller, {})["OpenShardCount"]
        check_shard_limit(open_count, target - current, caller)
        scale(live.state, target, now)
        live.state.scalings = [*_recent_scalings(live.state, now), now]
        live.state.change(UPDATING, now, kinesis.status_seconds)
        live.save()
        return {
            "StreamName": live.state.name,
            "CurrentShardCount": current,
            "TargetShardCount": target,
            "StreamARN": live.state.arn,
        }


def _recent_scalings(state: Stream, now: float) -> list[float]:
    return [moment for moment in state.scalings if moment > now - _DAY]


def _check_scaling(state: Stream, current: int, target: int, now: float) -> None:
    if target > 2 * current:
        raise invalid_argument(
            f"UpdateShardCount cannot increase the shard count of stream {state.name} from "
            f"{current} to {target}: it can at most double it."
        )
    if 2 * target < current:
        raise invalid_argument(
            f"UpdateShardCount cannot decrease the shard count of stream {state.name} from "
            f"{current} to {target}: it can at most halve it."
        )
    if target > _MOST_SHARDS:
        raise limit_exceeded(f"A stream cannot be scaled to more than {_MOST_SHARDS} shards.")
    if len(_recent_scalings(state, now)) >= _SCALINGS_PER_DAY:
        raise limit_exceeded(
            f"Stream {state.name} was scaled {_SCALINGS_PER_DAY} times in the last 24 hours, "
            "which is the limit."
        )


def scale(state: Stream, target: int, now: float) -> None:
    """Split and merge open shards until there are `target` of even size."""
    ranges = [shard.hash_key_range for shard in state.open_shards()]
    for step in plan_uniform_scaling(ranges, target):
        shards = state.open_shards()
        if isinstance(step, Split):
            state.split(shards[step.position], step.at, now)
        else:
            state.merge(shards[step.position], shards[step.position + 1], now)


OPERATIONS_ON_SHARDS: dict[str, Operation] = {
    "ListShards": list_shards,
    "MergeShards": merge_shards,
    "SplitShard": split_shard,
    "UpdateShardCount": update_shard_count,
}
