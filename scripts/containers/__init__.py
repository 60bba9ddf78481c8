"""The containers tested for real: a Docker daemon, base images, Compose's plug-in, the tests."""
