# The three programs in one small image; `omni-server` is what it runs by default. Nothing in it is bound to
# an architecture: `docker buildx build --platform linux/arm64,linux/amd64 .`

FROM swift:6.3-bookworm AS build
# libcurl is what Foundation speaks HTTPS through; Python cuts ICU's data down (deploy/image).
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
       binutils libcurl4-openssl-dev libsqlite3-dev libyaml-dev make pkg-config python3-minimal \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /kit
COPY Makefile Package.swift ./
COPY deploy/image deploy/image
COPY Spec Spec
COPY Fixtures Fixtures
COPY Sources Sources
RUN make static

FROM debian:bookworm-slim
# Beside what the programs are linked to, libcurl and the roots of certificates: the direct API is called
# over HTTPS. `openssl`, which comes with them, is how the runner reaches wss:// endpoints.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libsqlite3-0 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && groupadd --gid 10001 omni \
    && useradd --uid 10001 --gid omni --no-log-init --home-dir /app --shell /usr/sbin/nologin omni \
    && install -d -m 0700 -o omni -g omni /app/data
COPY --from=build /kit/.build/static/bin/ /usr/local/bin/

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="omni-server" \
      org.opencontainers.image.description="Omni-Orchestrator reference server, mock-litellm and omni-conformance" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"

# By number, so that an orchestrator of containers can see that it is not root. All that is written is below
# /app/data; the rest may be read-only.
USER 10001:10001
WORKDIR /app
ENV OMNI_HOST=0.0.0.0 OMNI_DATA=/app/data
VOLUME /app/data
EXPOSE 18765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["omni-server", "healthcheck"]
CMD ["omni-server"]
