"""What reads streams: KCL workers and processors."""
