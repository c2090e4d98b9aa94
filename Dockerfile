# The service and the simulator in one image. Stage one makes the wheel, with the files of the web page that the build
# hook fetches; stage two holds Python, the locked packages and that wheel, and runs as nobody in particular.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/tracker
COPY requirements.lock requirements-map.lock ./
RUN /opt/tracker/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && /opt/tracker/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements-map.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY sql ./sql
COPY web ./web
COPY driver_sim ./driver_sim
COPY tracker ./tracker
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && /opt/tracker/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin tracker \
 && install --directory --owner tracker --group tracker --mode 0750 /data
COPY --from=build /opt/tracker /opt/tracker
ENV PATH=/opt/tracker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TRACKER_DATA_DIR=/data \
    TRACKER_BIND=0.0.0.0:8080
USER tracker
WORKDIR /data
VOLUME /data
EXPOSE 8080
# The first start builds the router's and the map's tiles: give it time before failures count.
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
CMD ["tracker", "serve", "--migrate"]
