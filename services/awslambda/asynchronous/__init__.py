"""Asynchronous invocations: a durable queue of events, their retries and their destinations."""
