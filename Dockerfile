FROM python:3.11-slim AS build
# PIP_EXTRA_INDEX_URL names an index with torch's CPU build; without it pip installs the registry's build.
# For GPUs: --build-arg TORCH=torch===2.13.0, which is always the release with CUDA and never a CPU build.
ARG TORCH=torch==2.13.0
ARG PIP_EXTRA_INDEX_URL
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/docket \
    && python -m pip --python /opt/docket install --no-cache-dir --no-compile --constraint requirements.lock "${TORCH}" \
    && rm -rf /opt/docket/lib/python3.11/site-packages/torch/include
COPY pyproject.toml README.md LICENSE docket.py ./
COPY app app
COPY model model
COPY scoring scoring
COPY training training
RUN python -m pip --python /opt/docket install --no-cache-dir --no-compile --constraint requirements.lock '.[otel]'

FROM build AS build-training
RUN python -m pip --python /opt/docket install --no-cache-dir --no-compile --constraint requirements.lock '.[otel,training]'

FROM python:3.11-slim AS runtime
RUN useradd --create-home --uid 10001 docket && install --directory --owner docket /artifacts
# torch works without NumPy, but warns at each start.
ENV PATH=/opt/docket/bin:$PATH PYTHONUNBUFFERED=1 DOCKET_HOST=0.0.0.0 \
    PYTHONWARNINGS="ignore:Failed to initialize NumPy"
USER 10001
ENTRYPOINT ["docket"]

FROM runtime AS training
COPY --from=build-training /opt/docket /opt/docket
CMD ["train", "bbc-news", "--out", "/artifacts/docket"]

FROM runtime AS service
COPY --from=build /opt/docket /opt/docket
EXPOSE 8000
ENV DOCKET_LOG=json
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, ssl, urllib.request as u; s = 's' * ('DOCKET_TLS_CERTIFICATE' in os.environ); u.urlopen(f'http{s}://127.0.0.1:' + os.environ.get('DOCKET_PORT', '8000') + '/health', timeout=4, context=ssl._create_unverified_context())"]
CMD ["serve", "/artifacts/docket"]
