# Image of the HTTP service: docker build -t embedreach-mcp .
#
# The tag takes in Python's security fixes at each build. Where builds have to be the same each time, replace it in both
# stages by python:3.13-slim@sha256:…, with the digest that `docker buildx imagetools inspect python:3.13-slim` prints,
# and let a bot move it. Everything else is pinned by hash in requirements.lock and deploy/build.lock.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock ./
COPY deploy/build.lock deploy/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-compile --only-binary :all: --require-hashes -r requirements.lock \
    && pip install --only-binary :all: --require-hashes -r deploy/build.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY prompts prompts
COPY reach_mcp reach_mcp
# Bytecode that is never compared with its source: the root is read-only, and no file's time matters.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
    && pip --python /opt/venv/bin/python install --no-compile --no-deps --no-index /tmp/wheel/*.whl \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM python:3.13-slim
LABEL org.opencontainers.image.title="embedreach-mcp" \
      org.opencontainers.image.description="MCP server for the Reach batch API" \
      org.opencontainers.image.source="https://github.com/embedreach/embedreach-mcp" \
      org.opencontainers.image.licenses="MIT"
# The official image has no bytecode of the standard library, and nothing is written here: without this, each start and each
# health check would compile what it imports.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x site-packages \
    "$(python -c 'import os; print(os.path.dirname(os.__file__))')"
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    REACH_MCP_HOST=0.0.0.0 \
    REACH_MCP_PORT=8765 \
    REACH_MCP_LOG_FORMAT=json
# A number, so that Kubernetes can see that it is not root. Nothing is written: run it with a read-only root.
USER 10001:10001
EXPOSE 8765
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['REACH_MCP_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["embedreach-mcp"]
CMD ["serve", "--http"]
