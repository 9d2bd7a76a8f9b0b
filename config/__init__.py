"""The Django project: settings, URLs, Celery. No logic."""
