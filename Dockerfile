# Two images from one file: `web` (pages and chores, no torch) and `worker` (classifies).
#   docker build --target web -t sightline-web .
#   docker build --target worker -t sightline-worker .

FROM python:3.12.12-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SIGHTLINE_BIND=0.0.0.0 \
    SIGHTLINE_DATA_DIR=/data \
    SIGHTLINE_STATIC_DIR=/srv/static
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin sightline \
    && install --directory --owner sightline --group sightline /data
WORKDIR /srv/sightline

FROM base AS web-packages
COPY requirements/web.txt requirements/web.txt
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --requirement requirements/web.txt

FROM web-packages AS worker-packages
COPY requirements/worker.txt requirements/openvino.txt requirements/
# What else it is to compute with, as requirements/openvino.txt.
ARG EXTRA_REQUIREMENTS=
RUN pip install --no-cache-dir --requirement requirements/worker.txt \
    ${EXTRA_REQUIREMENTS:+--requirement "$EXTRA_REQUIREMENTS"}

FROM web-packages AS source
COPY manage.py ./
COPY config config
COPY classifier classifier
COPY templates templates
COPY static static
COPY locale locale
COPY deploy deploy
RUN python -m compileall -q config classifier \
    && SIGHTLINE_DATA_DIR=/tmp/build python manage.py collectstatic --no-input --verbosity 0

FROM base AS app
COPY --from=source /srv /srv
USER sightline
VOLUME /data

FROM app AS worker
COPY --from=worker-packages /opt/venv /opt/venv
ENV OMP_NUM_THREADS=1
HEALTHCHECK --interval=60s --timeout=20s --start-period=120s \
    CMD ["python", "-m", "deploy.healthcheck", "worker"]
CMD ["celery", "-A", "config", "--quiet", "worker", "-n", "worker@%h", "-P", "threads", "-I", "classifier.worker.classify,classifier.worker.evaluate", "-Q", "classify,evaluate"]

FROM app AS web
COPY --from=web-packages /opt/venv /opt/venv
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "deploy.healthcheck", "web"]
CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py", "config.wsgi"]
