"""How far a schedule has come: which turns are over, and which are on their way. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.scheduler.expression import Timing, next_turn
from services.scheduler.invocation import Invocation

#: A rate's first turn is the moment in which it is made; turns count from just before.
_JUST_BEFORE_SECONDS = 0.001


@dataclass(frozen=True)
class Progress:
    """Turns up to `since` are over or under way. Times are seconds since 1970."""

    timing: Timing
    is_enabled: bool
    since: float
    underway: tuple[Invocation, ...] = ()
    has_run: bool = False


def begin(timing: Timing, is_enabled: bool) -> Progress:
    """Of a schedule that was made at the timing's anchor."""
    return Progress(timing, is_enabled, timing.anchor - _JUST_BEFORE_SECONDS)


def changed(progress: Progress, timing: Timing, is_enabled: bool) -> Progress:
    """After an update: a schedule that still runs at the same times does not begin again."""
    same_times = replace(timing, anchor=progress.timing.anchor) == progress.timing
    if same_times and is_enabled == progress.is_enabled:
        return progress
    return replace(begin(timing, is_enabled), underway=progress.underway)


def after_restart(progress: Progress, now: float) -> Progress:
    """The clock of a former engine may have been moved ahead: recurring turns come again from
    now on. What has run once does not run again.
    """
    if progress.timing.is_once or progress.since <= now:
        since, anchor = progress.since, progress.timing.anchor
    else:
        since, anchor = now, min(progress.timing.anchor, now)
    return replace(
        progress,
        timing=replace(progress.timing, anchor=anchor),
        since=since,
        underway=tuple(replace(each, due_at=min(each.due_at, now)) for each in progress.underway),
    )


def take_turns(
    progress: Progress, now: float, new_id: Callable[[], str], at_most: int
) -> tuple[Progress, bool]:
    """With the turns that have come on their way, the first `at_most` of them, in their order; and
    whether there were more, which do not run.
    """
    taken: list[Invocation] = []
    since = progress.since
    while (turn := _turn_after(progress, since)) is not None and turn <= now:
        if len(taken) == at_most:
            break
        taken.append(Invocation(new_id(), turn, began_at=now, due_at=now))
        since = turn
    if not taken:
        return progress, False
    was_cut = turn is not None and turn <= now
    underway = (*progress.underway, *taken)
    return replace(progress, since=now, underway=underway, has_run=True), was_cut


def _turn_after(progress: Progress, since: float) -> float | None:
    return next_turn(progress.timing, since) if progress.is_enabled else None


def due(progress: Progress, now: float) -> list[Invocation]:
    """What is to be tried now."""
    return [each for each in progress.underway if each.due_at <= now]


def settled(progress: Progress, tried: Invocation, again: Invocation | None) -> Progress:
    """After an attempt: over, or to be tried again."""
    others = tuple(e for e in progress.underway if e.execution_id != tried.execution_id)
    return replace(progress, underway=others if again is None else (*others, again))


def wakes_at(progress: Progress) -> float | None:
    """When there is next something to do."""
    turn = _turn_after(progress, progress.since)
    moments = [each.due_at for each in progress.underway] + ([] if turn is None else [turn])
    return min(moments, default=None)


def is_complete(progress: Progress) -> bool:
    """Whether its last turn is over, as AWS's deletion after completion asks: without an EndDate
    a recurring schedule is never complete.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html
    """
    ends = progress.timing.is_once or progress.timing.end is not None
    return ends and progress.has_run and progress.is_enabled and wakes_at(progress) is None
