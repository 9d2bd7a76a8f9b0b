# Two targets: `web` (no torch) and `worker` (web + torch). Base images come from variables so that a site
# can name its own.
ARG PYTHON_IMAGE=python:3.11-slim
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS frontend
WORKDIR /app/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

FROM ${PYTHON_IMAGE} AS web
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
# Built with --build-arg REQUIREMENTS=requirements-web.txt, the web is smaller and imports text formats only.
ARG REQUIREMENTS=requirements-data.txt
COPY requirements-web.txt requirements-data.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements-web.txt -r ${REQUIREMENTS}
COPY manage.py ./
COPY contracts/ contracts/
COPY config/ config/
COPY labeling/ labeling/
COPY training/ training/
COPY --from=frontend /app/frontend/dist frontend/dist
EXPOSE 8000
CMD ["sh", "-c", "python manage.py migrate --noinput && exec granian --interface wsgi --host 0.0.0.0 --port 8000 --workers 2 --blocking-threads 4 config.wsgi:application"]

FROM web AS worker
COPY requirements-learn.txt ./
RUN pip install --no-cache-dir -r requirements-learn.txt
COPY rewardmodel/ rewardmodel/
CMD ["celery", "-A", "config", "worker", "-P", "threads", "--loglevel", "info"]
