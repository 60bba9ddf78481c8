"""The collection of delivery streams over restarts, with a bucket that is a dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from services.clock import MovableClock
from services.firehose.delivery_streams import DeliveryStreams
from services.firehose.errors import FirehoseError, ResourceNotFound
from tests.services.firehose.test_validation import PARTITIONED
from tests.waiting import wait_until

HERE = {"region": "us-east-1", "account_id": "000000000000"}
BUCKET = {"RoleARN": "arn:aws:iam::000000000000:role/r", "BucketARN": "arn:aws:s3:::lake"}


class Bucket:
    """The one S3 call that a delivery makes; `is_gone` is how S3 answers without a bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.is_gone = False

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803
        if self.is_gone:
            answer = {"Error": {"Code": "NoSuchBucket", "Message": "gone"}}
            raise ClientError(answer, "PutObject")
        self.objects[Key] = Body

    def put_metric_data(self, **_: Any) -> None:
        """Nobody looks."""


class Place:
    """A data folder with engines that come and go on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bucket, self.clock = folder, Bucket(), MovableClock()
        self.running: list[DeliveryStreams] = []
        self.start()

    def start(self) -> DeliveryStreams:
        self.streams = DeliveryStreams(
            self.folder, self.clock, lambda *_: self.bucket, lambda *_: pytest.fail("no source")
        )
        self.streams.start()
        self.clock.when_moved(self.streams.nudge)
        self.running.append(self.streams)
        return self.streams

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.streams.call(operation, {"DeliveryStreamName": "s", **request}, **HERE)

    def create(self, **content: Any) -> None:
        self.call("CreateDeliveryStream", ExtendedS3DestinationConfiguration=BUCKET | content)

    def put(self, *contents: bytes) -> None:
        self.call("PutRecordBatch", Records=[{"Data": content} for content in contents])

    def wait_for(self, *bodies: bytes) -> None:
        wait_until(lambda: sorted(self.bucket.objects.values()) == sorted(bodies))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    for streams in found.running:
        streams.stop()


def test_a_delivery_stream_outlives_its_engine_with_what_was_put(place: Place) -> None:
    place.create(Prefix="a/")
    place.put(b"1", b"2")
    place.call("TagDeliveryStream", Tags=[{"Key": "k", "Value": "v"}])
    described = place.call("DescribeDeliveryStream")
    place.start()  # the former one was not stopped: it is as if it had been killed
    assert place.call("DescribeDeliveryStream") == described
    assert place.call("ListTagsForDeliveryStream")["Tags"] == [{"Key": "k", "Value": "v"}]


def test_stopping_delivers_what_waits(place: Place) -> None:
    place.create()
    place.put(b"1", b"2")
    place.streams.stop()
    assert list(place.bucket.objects.values()) == [b"12"]


def test_what_cannot_be_delivered_at_the_stop_is_delivered_by_the_next_engine(place: Place) -> None:
    place.create()
    place.put(b"kept")
    place.bucket.is_gone = True
    place.streams.stop()
    place.bucket.is_gone = False
    place.start()
    place.wait_for(b"kept")


def test_a_moved_clock_delivers_at_once(place: Place) -> None:
    place.create()
    place.put(b"x")
    place.clock.advance(301)
    place.wait_for(b"x")


def test_records_that_wait_keep_the_prefix_they_were_partitioned_for(place: Place) -> None:
    place.create(**PARTITIONED)
    place.put(b'{"d": "tv"}')
    wait_until(lambda: place.streams.partitions("s", **HERE))
    place.call(
        "UpdateDestination",
        CurrentDeliveryStreamVersionId="1",
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate={"Prefix": "new/!{partitionKeyFromQuery:device}/"},
    )
    place.put(b'{"d": "tv"}')
    wait_until(lambda: len(place.streams.partitions("s", **HERE)) == 2)
    place.clock.advance(301)
    wait_until(lambda: len(place.bucket.objects) == 2)
    assert {key.rpartition("/")[0] for key in place.bucket.objects} == {"tv", "new/tv"}


def test_a_deletion_that_a_kill_interrupts_is_ended_by_the_next_engine(place: Place) -> None:
    place.create()
    place.put(b"last")
    file = next(place.folder.glob("*/*/*/delivery_stream.json"))
    file.write_text(file.read_text().replace('"ACTIVE"', '"DELETING"'))
    place.start()
    place.wait_for(b"last")

    def is_gone() -> bool:
        try:
            place.call("DescribeDeliveryStream")
        except ResourceNotFound:
            return True
        return False

    wait_until(is_gone)
    assert not file.parent.exists()


def test_a_damaged_journal_is_put_aside_and_the_stream_goes_on(place: Place) -> None:
    place.create()
    place.put(b"x")
    place.bucket.is_gone = True
    place.streams.stop()
    place.bucket.is_gone = False
    journal = next(place.folder.glob("*/*/*/journal"))
    (journal / "00000001.log").write_bytes(b"not a frame")
    (journal / "00000002.log").write_bytes(b"")
    place.start()
    place.put(b"y")
    place.clock.advance(301)
    place.wait_for(b"y")
    (aside,) = place.folder.glob("*/*/*/journal-damaged-*")
    assert (aside / "00000001.log").read_bytes() == b"not a frame"


def test_puts_from_many_threads_are_all_delivered_once(place: Place) -> None:
    place.create(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 0})

    def put(first: int) -> None:
        for number in range(first, first + 50):
            place.put(b"%d," % number)

    threads = [threading.Thread(target=put, args=(first,)) for first in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def delivered() -> list[int]:
        text = b"".join(place.bucket.objects.values())
        return sorted(int(number) for number in text.split(b",") if number)

    wait_until(lambda: len(delivered()) >= 400)
    assert delivered() == list(range(400))


def test_an_unknown_operation_is_refused(place: Place) -> None:
    with pytest.raises(FirehoseError) as refused:
        place.call("MakeCoffee")
    assert refused.value.code == "UnknownOperationException"
