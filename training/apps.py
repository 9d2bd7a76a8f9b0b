"""Runs, checkpoints and rounds: the web half of training. Torch lives in `training.algorithms` alone."""

from importlib import import_module

from django.apps import AppConfig

MODELS = "checkpoints", "playground", "rounds", "runs", "scores"


class TrainingConfig(AppConfig):
    name = "training"
    label = "training"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Load the modules of `training.models`, whose `__init__` imports nothing."""
        super().import_models()
        for module in MODELS:
            import_module(f"training.models.{module}")
