"""LocalStack as the engine: start, stop, our HTTP front, where providers meet."""
