# Stands in for the published OpenSearch image where no image can be pulled: the same server, paths,
# user, port and way of being configured; without its plug-ins.
FROM python:3.13-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends curl >/dev/null && \
    rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --home-dir /usr/share/opensearch opensearch
WORKDIR /usr/share/opensearch
COPY --chown=1000:1000 home ./
COPY jdk jdk
COPY server.py opensearch-docker-entrypoint ./
RUN install -d -o 1000 -g 1000 data logs
USER 1000
EXPOSE 9200
ENTRYPOINT ["./opensearch-docker-entrypoint"]
