"""Where everything is wired: the command line, the demo, the benchmarks."""
