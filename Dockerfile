# The service and the simulator in one image. Stage one makes the wheel, with the files of the web page that the build
# hook fetches; stage two holds Python, the locked packages and that wheel, and runs as a user without privileges.
# The base image is pinned by its full version. Pin a digest of your own if each build must be the same to the byte.

FROM docker.io/library/python:3.13.14-slim-trixie AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/tracker
COPY requirements.lock ./
RUN pip --python /opt/tracker/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY deploy/shrink_elf.py deploy/healthcheck.sh ./deploy/
# 250 MB less: padding and symbols in the libraries, packages' own tests, and five of Valhalla's seven tools.
RUN python deploy/shrink_elf.py /opt/tracker/lib \
 && find /opt/tracker/lib/python3.13/site-packages -type d -name tests -prune -exec rm -r {} + \
 && find /opt/tracker/lib/python3.13/site-packages/valhalla/bin -type f \
    ! -name valhalla_build_tiles ! -name valhalla_service -delete
COPY pyproject.toml hatch_build.py requirements-map.lock README.md LICENSE ./
COPY sql ./sql
COPY web ./web
COPY driver_sim ./driver_sim
COPY tracker ./tracker
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && pip --python /opt/tracker/bin/python install --no-cache-dir --no-deps /wheels/*.whl

FROM docker.io/library/python:3.13.14-slim-trixie
# osmium, which reads maps, needs the system's libexpat; the health check of a service with TLS needs openssl.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libexpat1 openssl \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tracker \
 && install --directory --owner tracker --group tracker --mode 0750 /data
COPY --from=build /src/deploy/healthcheck.sh /usr/local/bin/healthcheck
COPY --from=build /opt/tracker /opt/tracker
ENV PATH=/opt/tracker/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TRACKER_DATA_DIR=/data \
    TRACKER_BIND=0.0.0.0:8080
USER tracker
WORKDIR /data
# A library that is missing shows here, not at the first start.
RUN tracker --version && driver-sim --version && python -c "import osmium, valhalla, tracker.commands.serve"
VOLUME /data
EXPOSE 8080
# The first start may download a map, and makes tiles of it: until it first answers, it is starting, not unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30m --retries=3 CMD ["healthcheck"]
CMD ["tracker", "serve", "--migrate"]
