"""A Kinesis Agent: tails log files into streams, configured by the original `agent.json`."""

from __future__ import annotations

from producer.agent.agent import Agent, AgentFailed
from producer.agent.checkpoints import Checkpoints, CheckpointsUnusable
from producer.agent.configuration import AgentConfiguration, read_configuration
from producer.agent.configuration_keys import AgentConfigurationError

__all__ = [
    "Agent",
    "AgentConfiguration",
    "AgentConfigurationError",
    "AgentFailed",
    "Checkpoints",
    "CheckpointsUnusable",
    "read_configuration",
]
