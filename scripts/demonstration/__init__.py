"""The main job: real shopping events through a stream that is hurt on purpose, and the proof."""
