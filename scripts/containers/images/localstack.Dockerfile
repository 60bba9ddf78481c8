# Stands in for the published LocalStack image where no image can be pulled. The shape is the
# published one's: the environment in /opt/code/localstack/.venv, root, the entry point, the
# volume, Node. What LocalStack alone needs is installed; what is ours our own Dockerfile adds.
FROM python:3.13-slim
RUN apt-get update -qq && \
    apt-get install -y -qq --no-install-recommends nodejs curl procps >/dev/null && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /opt/code/localstack
RUN useradd -ms /bin/bash localstack && \
    mkdir -p /var/lib/localstack /usr/lib/localstack && \
    chmod 777 . /var/lib/localstack /usr/lib/localstack
COPY uv.txt localstack.txt ./
RUN --mount=type=cache,target=/root/.cache \
    python3 -m venv .venv && \
    python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --require-hashes -r uv.txt && \
    UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy /opt/uv/bin/uv pip install --quiet \
      --python .venv/bin/python --no-deps --require-hashes --compile-bytecode -r localstack.txt && \
    rm -rf /opt/uv
COPY docker-entrypoint.sh /usr/local/bin/
ENV USER=localstack PYTHONUNBUFFERED=1 LANG=C.UTF-8
EXPOSE 4566 4510-4559
VOLUME /var/lib/localstack
ENTRYPOINT ["docker-entrypoint.sh"]
