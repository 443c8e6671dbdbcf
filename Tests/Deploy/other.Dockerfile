# The orchestrator of another make that Tests/Interop has, as an image, to be judged by ORCHESTRATOR_IMAGE.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10001 /app/data
COPY websockets /app/websockets
COPY other_orchestrator /app/other_orchestrator
USER 10001
WORKDIR /app
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1
CMD ["python3", "/app/other_orchestrator"]
