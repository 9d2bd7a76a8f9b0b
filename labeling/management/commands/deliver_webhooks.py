"""Tell webhooks of events without a worker, for installations that run none."""

from argparse import ArgumentParser
from threading import Event
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from labeling.services import webhooks


class Command(BaseCommand):
    help = "Send what is due to webhooks: again and again, or once. Workers do the same by themselves."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due now, and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["once"]:
            webhooks.deliver_until_stopping(stopping=Event(), every=settings.WEBHOOK_SECONDS)
            return
        with httpx.Client(timeout=webhooks.TIMEOUT) as client:
            number = webhooks.deliver(now=timezone.now(), client=client)
        self.stdout.write(f"{number} sent.")
