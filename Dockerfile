# The three programs in one small image; `omni-server` is what it runs by default.
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libsqlite3-dev libyaml-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /kit
COPY . .
RUN make release && mkdir /out \
    && cp .build/release/omni-server .build/release/mock-litellm .build/release/omni-conformance /out/

# The slim image of the same release holds the Swift runtime.
FROM swift:6.3-bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libsqlite3-0 libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home /app omni && install -d -o omni /app/data
COPY --from=build /out/ /usr/local/bin/
USER 10001
WORKDIR /app
ENV OMNI_HOST=0.0.0.0 OMNI_DATA=/app/data
EXPOSE 18765
HEALTHCHECK --interval=30s --timeout=10s --retries=3 CMD ["omni-server", "healthcheck"]
CMD ["omni-server"]
