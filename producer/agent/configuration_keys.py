"""The keys of `agent.json`: kind, default and accepted range of each, in one table."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from producer.agent.java_regex import RegexRefused, java_regex


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, if any is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else "."


class AgentConfigurationError(ValueError):
    """The configuration cannot be used; the message names key, value and what is accepted."""


@dataclass(frozen=True)
class Key:
    """One key. `accepted` completes the sentence "accepted is …"."""

    default: Any
    accepted: str

    def read(self, where: str, name: str, value: Any) -> Any:
        """The value as it is used; the default for a missing one."""
        if value is None:
            return self.default
        read = self.convert(value)
        if read is None:
            raise AgentConfigurationError(
                f"{where}: {name} is {value!r}; accepted is {self.accepted}."
            )
        return read

    def convert(self, value: Any) -> Any:
        """The value in its own type, None when it is refused."""
        raise NotImplementedError


@dataclass(frozen=True)
class WholeNumber(Key):
    """Digits in a string are taken too, as in the original."""

    lowest: int = 0
    highest: int = 2**63 - 1

    def convert(self, value: Any) -> int | None:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return value if self.lowest <= value <= self.highest else None


@dataclass(frozen=True)
class TrueOrFalse(Key):
    def convert(self, value: Any) -> bool | None:
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.lower())
        return value if isinstance(value, bool) else None


@dataclass(frozen=True)
class Text(Key):
    def convert(self, value: Any) -> str | None:
        return value if isinstance(value, str) else None


@dataclass(frozen=True)
class OneOf(Key):
    words: tuple[str, ...] = ()

    def convert(self, value: Any) -> str | None:
        return value if value in self.words else None


@dataclass(frozen=True)
class Pattern(Key):
    def convert(self, value: Any) -> re.Pattern[str] | None:
        try:
            return java_regex(value) if isinstance(value, str) and value else None
        except RegexRefused:
            return None


@dataclass(frozen=True)
class Objects(Key):
    def convert(self, value: Any) -> list[dict[str, Any]] | None:
        good = isinstance(value, list) and all(isinstance(item, dict) for item in value)
        return value if good else None


def number(default: int | None, lowest: int = 0, highest: int = 2**63 - 1) -> Key:
    return WholeNumber(default, f"a whole number from {lowest} to {highest}", lowest, highest)


def flag(default: bool) -> Key:
    return TrueOrFalse(default, "true or false")


def text(default: str | None = None) -> Key:
    return Text(default, "a string")


def one_of(default: str, *words: str) -> Key:
    return OneOf(default, " or ".join(words), words)


class _Required(Text):
    def read(self, where: str, name: str, value: Any) -> Any:
        if value is None or value == "":
            raise AgentConfigurationError(f"{where}: {name} is required.")
        return super().read(where, name, value)


_MILLIS_1_S, _MILLIS_15_MIN = 1_000, 900_000

FLOW_KEYS: dict[str, Key] = {
    "filePattern": _Required(None, "a string"),
    "kinesisStream": text(),
    "deliveryStream": text(),
    "partitionKeyOption": one_of("RANDOM", "RANDOM", "DETERMINISTIC"),
    "initialPosition": one_of("END_OF_FILE", "START_OF_FILE", "END_OF_FILE"),
    "maxBufferAgeMillis": number(60_000, _MILLIS_1_S, _MILLIS_15_MIN),
    "maxBufferSizeRecords": number(500, 1, 500),
    "maxBufferSizeBytes": number(None, 1, 5_242_880),
    "minTimeBetweenFilePollsMillis": number(100),
    "maxTimeBetweenFileTrackerRefreshMillis": number(10_000),
    "multiLineStartPattern": Pattern(None, "a regular expression"),
    "skipHeaderLines": number(0),
    "fileFooterPattern": Pattern(None, "a regular expression"),
    "truncatedRecordTerminator": text("\n"),
    "aggregatedRecordSizeBytes": number(0, 0, 1_024_000),
    "retryInitialBackoffMillis": number(100, 1),
    "retryMaxBackoffMillis": number(10_000, 1),
    "publishQueueCapacity": number(100, 1),
    "waitOnFullPublishQueueMillis": number(60_000, _MILLIS_1_S, _MILLIS_15_MIN),
    "waitOnEmptyPublishQueueMillis": number(60_000, _MILLIS_1_S, _MILLIS_15_MIN),
    "waitOnFullRetryQueueMillis": number(10_000),
    "log.emitInternalMetrics": flag(False),
    "dataProcessingOptions": Objects(None, "a list of objects, each with an optionName"),
}

GLOBAL_KEYS: dict[str, Key] = {
    "cloudwatch.emitMetrics": flag(True),
    "cloudwatch.endpoint": text(),
    "cloudwatch.namespace": text("AWSKinesisAgent"),
    "cloudwatch.tagInstance": flag(False),
    "cloudwatch.metricsBufferTimeMillis": number(30_000, 1),
    "cloudwatch.metricsQueueSize": number(10_000, 1),
    "kinesis.endpoint": text(),
    "kinesis.region": text(),
    "firehose.endpoint": text(),
    "sts.endpoint": text(),
    "awsAccessKeyId": text(),
    "awsSecretAccessKey": text(),
    "assumeRoleARN": text(),
    "assumeRoleExternalId": text(),
    "userDefinedCredentialsProvider.classname": text(),
    "userDefinedCredentialsProvider.location": text(),
    "checkpointFile": text("/var/run/aws-kinesis-agent/checkpoints"),
    "checkpointTimeToLiveDays": number(7, 1),
    "maxSendingThreads": number(None, 1),
    "maxSendingThreadsPerCore": number(12, 1),
    "sendingThreadsMaxQueueSize": number(100, 1),
    "sendingThreadsKeepAliveMillis": number(60_000),
    "maxConnections": number(None, 1),
    "connectionTimeoutMillis": number(10_000, 1),
    "connectionTTLMillis": number(-1, -1),
    "socketTimeoutMillis": number(50_000, 1),
    "useTcpKeepAlive": flag(False),
    "useHttpGzip": flag(False),
    "shutdownTimeoutMillis": number(10_000),
    "log.emitMetrics": flag(False),
    "log.emitInternalMetrics": flag(False),
    "log.statusReportingPeriodSeconds": number(30, 1),
}
