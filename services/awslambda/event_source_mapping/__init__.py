"""Event source mappings of streams: what to hand to a function, and what to do when it fails."""
