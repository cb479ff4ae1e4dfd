# The service, its worker and the three shipped models.
#
#   docker build -t glyphscope .
#   docker run --rm -p 8000:8000 --read-only --tmpfs /tmp glyphscope
#   docker run --rm -p 8000:8000 --gpus all glyphscope
#
# PyTorch comes from the package index that pip is set to: on x86-64 Linux that build carries CUDA
# and runs on a CPU as well. For an image a fraction of the size, without CUDA:
#
#   docker build --build-arg TORCH_INDEX=URL .
#
# where URL is PyTorch's own wheel index for CPUs, as its installation page gives it.

# Every dependency has wheels for 3.12, and slim has the C++ runtime that they need and no compiler.
ARG PYTHON_IMAGE=python:3.12-slim

# The list of dependencies on its own, so that no other change leads to another large layer.
FROM ${PYTHON_IMAGE} AS requirements
WORKDIR /src
COPY pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
e = p['optional-dependencies']; print(*p['dependencies'], *e['redis'], *e['otel'], sep='\n')" \
 > requirements.txt

FROM ${PYTHON_IMAGE} AS dependencies
ARG TORCH_INDEX=""
COPY --from=requirements /src/requirements.txt /opt/glyphscope/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/glyphscope \
 && /opt/glyphscope/bin/pip install --disable-pip-version-check \
      ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} -r /opt/glyphscope/requirements.txt

FROM dependencies AS application
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY glyphscope glyphscope
COPY training training
COPY service service
COPY clients clients
COPY checkpoints checkpoints
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/glyphscope/bin/pip install --disable-pip-version-check --no-deps --prefix /application .

# On top of the dependencies as they are: to copy that layer into a bare image would write, read
# and hash a gigabyte once more.
FROM dependencies AS runtime
# A fixed number, so that volumes and Kubernetes' runAsUser can name it.
RUN groupadd --gid 10001 glyphscope \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/glyphscope \
      --shell /usr/sbin/nologin glyphscope \
 && install -d -o 10001 -g 10001 /var/lib/glyphscope /srv/checkpoints
COPY --from=application /application /opt/glyphscope
# A new volume mounted here starts with the shipped models.
COPY --chown=10001:10001 checkpoints /srv/checkpoints

ENV PATH=/opt/glyphscope/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/glyphscope \
    XDG_CACHE_HOME=/var/lib/glyphscope/cache \
    GLYPHSCOPE_HOST=0.0.0.0 \
    GLYPHSCOPE_PORT=8000 \
    GLYPHSCOPE_STORE=/srv/checkpoints \
    GLYPHSCOPE_STATE=/var/lib/glyphscope \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

USER 10001:10001
WORKDIR /var/lib/glyphscope
VOLUME /var/lib/glyphscope
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['GLYPHSCOPE_PORT']), timeout=4); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["glyphscope-serve"]

# Last, because they change with every build.
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="Glyphscope" \
      org.opencontainers.image.description="Serves small CNNs for MNIST, Fashion-MNIST and EMNIST, and shows what they learned" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
