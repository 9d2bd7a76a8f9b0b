"""The labeling app."""

from importlib import import_module

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"

    def import_models(self) -> None:
        nouns = (
            "people projects prompts work answers quality records webhooks measurements imports judgments invitations"
        )
        for noun in nouns.split():
            import_module(f"labeling.models.{noun}")
        super().import_models()
