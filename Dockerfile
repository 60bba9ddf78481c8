# Two images from one file. `engine`: LocalStack with Riacho's own services in its environment.
# `pipeline`: every other Python process (provision, producer, consumer, dashboard, search).
# Layers go from what changes seldom to what changes often: editing code rebuilds one COPY each.
# A company's package index: PIP_INDEX_URL and UV_DEFAULT_INDEX are taken from your environment.

# ---- the pipeline's packages, exactly as locked ---------------------------------------------
FROM python:3.13-slim AS packages
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/riacho
COPY requirements/uv.txt requirements/pipeline.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --require-hashes -r requirements/uv.txt
RUN --mount=type=cache,target=/root/.cache \
    python3 -m venv --without-pip .venv && \
    /opt/uv/bin/uv pip install --quiet --python .venv --no-deps --require-hashes --compile-bytecode \
      -r requirements/pipeline.txt
COPY pyproject.toml README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache \
    /opt/uv/bin/uv pip install --quiet --python .venv --no-deps --no-build-isolation -e . && \
    rm -f .venv/bin/uv .venv/bin/uvx

FROM python:3.13-slim AS pipeline
RUN useradd --uid 10001 --create-home riacho && \
    install -d -o riacho -g riacho /var/lib/riacho /var/lib/riacho/ledgers
COPY --from=packages /opt/riacho/.venv /opt/riacho/.venv
ENV PATH=/opt/riacho/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/riacho
COPY . .
USER riacho
ENTRYPOINT ["riacho"]

# ---- the engine -----------------------------------------------------------------------------
FROM localstack/localstack:4.14.0 AS engine
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy PIP_DISABLE_PIP_VERSION_CHECK=1
USER root
WORKDIR /opt/riacho
# The folders of a clone, so that the engine finds its parts where it finds them on a laptop.
RUN useradd --uid 10001 --create-home riacho && \
    install -d -o riacho -g riacho -m 700 /var/lib/riacho && \
    mkdir -p .engine/catalog/usr/lib/localstack && \
    ln -s /opt/code/localstack/.venv .engine/venv
COPY requirements/uv.txt requirements/engine.txt requirements/
RUN --mount=type=cache,target=/root/.cache \
    .engine/venv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt && \
    .engine/venv/bin/uv pip install --quiet --python .engine/venv/bin/python --no-deps \
      --require-hashes --compile-bytecode -r requirements/engine.txt
COPY requirements/jars/dynamodb.txt requirements/jars/
COPY scripts/__init__.py scripts/jars.py scripts/
RUN .engine/venv/bin/python -m scripts.jars fetch dynamodb
# LocalStack's index of AWS services, made once: an engine without it takes 350 MB more.
RUN FILESYSTEM_ROOT=/opt/riacho/.engine/catalog HOME=/tmp OVERRIDE_IN_DOCKER=0 DISABLE_EVENTS=1 \
    .engine/venv/bin/python -m localstack.aws.spec
COPY pyproject.toml README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache \
    .engine/venv/bin/uv pip install --quiet --python .engine/venv/bin/python --no-deps \
      --no-build-isolation -e .
COPY . .
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER riacho
ENTRYPOINT ["/opt/riacho/.engine/venv/bin/python", "-m", "services.localstack.container"]
