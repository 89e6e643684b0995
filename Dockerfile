# One image for every process: `serve` (the default), `extranet`, `work`, `migrate`.
# docker build -t customer-graph .

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cdp
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY cdp cdp
COPY extranet extranet
RUN /opt/cdp/bin/pip install . && /opt/cdp/bin/python -m compileall -q /opt/cdp

FROM python:3.13-slim
RUN groupadd --system --gid 10001 cdp \
    && useradd --system --uid 10001 --gid cdp --home-dir /var/lib/cdp --create-home --shell /usr/sbin/nologin cdp
COPY --from=build /opt/cdp /opt/cdp
ENV PATH=/opt/cdp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CDP_DATA_DIR=/var/lib/cdp
USER cdp
WORKDIR /var/lib/cdp
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["cdp", "probe"]
ENTRYPOINT ["cdp"]
CMD ["serve", "--host", "0.0.0.0", "--no-worker"]
