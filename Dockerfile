# Denwa on Debian 12: built in the first stage, run by a user of its own in the second.
FROM debian:12-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/run.in requirements/
RUN python3 -m venv /opt/denwa \
 && /opt/denwa/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt \
 && /opt/denwa/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY denwa denwa
RUN /opt/denwa/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 5060 --home-dir /var/lib/denwa --create-home --shell /usr/sbin/nologin denwa
COPY --from=build /opt/denwa /opt/denwa
COPY deploy/healthy.py /opt/denwa/healthy.py
ENV PATH=/opt/denwa/bin:/usr/bin:/bin
ENV DENWA_DATA_DIR=/var/lib/denwa
USER denwa
WORKDIR /var/lib/denwa
VOLUME ["/var/lib/denwa"]
EXPOSE 5060/udp 5060/tcp 8050/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/opt/denwa/bin/python", "/opt/denwa/healthy.py"]
ENTRYPOINT ["/opt/denwa/bin/denwa"]
CMD ["serve"]
