# The service on processors, without PyTorch: for stations on the embedded model, and for exported ones (docs/guides/deploy.md).
#   docker build -t oddlens .
#   docker run -p 127.0.0.1:8000:8000 -v oddlens:/data -v ./line-3:/stations/line-3 oddlens /stations/line-3
# scripts/check_dockerfile.py goes through these steps where there is no Docker.

FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY constraints.txt /wheels/
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --constraint /wheels/constraints.txt "$(echo /wheels/oddlens-*.whl)[serve,postgres,mqtt,video]"
RUN useradd --uid 10001 --create-home --home-dir /data oddlens
USER oddlens
WORKDIR /data
VOLUME /data
ENV HF_HUB_OFFLINE=1 ODDLENS_CACHE=/data/cache PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["oddlens", "serve", "--host", "0.0.0.0", "--home", "/data"]
