"""When a producer says that it is not well."""

from __future__ import annotations

from scripts.command_line.producer_health import ProducerHealth


class Producer:
    """Figures that a test sets, and a clock that it moves."""

    added = waiting = 0
    now = 100.0

    def health(self) -> ProducerHealth:
        return ProducerHealth(lambda: self.added, lambda: self.waiting, lambda: self.now)


def test_a_producer_without_waiting_records_is_well_however_long_it_rests() -> None:
    producer = Producer()
    health = producer.health()
    producer.now += 3_600
    assert health.report()["status"] == "healthy"


def test_a_producer_whose_records_are_answered_is_well_though_some_always_wait() -> None:
    producer = Producer()
    health = producer.health()
    for second in range(60):
        producer.now, producer.added, producer.waiting = 100.0 + second, 50 * second + 20, 20
        assert health.report()["status"] == "healthy"


def test_a_producer_that_gets_no_answer_is_unwell_until_one_comes() -> None:
    producer = Producer()
    health = producer.health()
    producer.added = producer.waiting = 7
    assert health.report()["status"] == "healthy"
    producer.now += 11
    told = health.report()
    assert told["status"] == "unhealthy"
    assert told["problems"] == ["7 records wait, and the stream has answered none for 11 s."]
    producer.waiting = 6
    assert health.report()["status"] == "healthy"
