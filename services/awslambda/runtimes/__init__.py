"""What runs inside a function's process, and how each runtime is started."""
