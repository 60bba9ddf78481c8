#!/bin/sh
# As the published image does: LocalStack in the foreground, from its own environment.
. /opt/code/localstack/.venv/bin/activate
exec python -m localstack.runtime.main
