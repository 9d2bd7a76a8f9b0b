"""The first admin; everybody else is made by an admin over the API."""

import getpass
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labeling import errors
from labeling.models.people import Role, User
from labeling.services import people


class Command(BaseCommand):
    help = "Make an admin. The password is RANKLOOP_ADMIN_PASSWORD, or is asked for."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="the person's full name")
        parser.add_argument("--if-none", action="store_true", help="do nothing where an active admin exists")

    def handle(self, *args: Any, username: str, name: str, if_none: bool, **options: Any) -> None:
        if if_none and User.objects.filter(role=Role.ADMIN, is_active=True).exists():
            return
        password = os.environ.get("RANKLOOP_ADMIN_PASSWORD") or getpass.getpass("Password: ")
        try:
            people.create(username=username, password=password, role=Role.ADMIN, name=name, by=None, now=timezone.now())
        except errors.Refused as error:
            raise CommandError("; ".join(error.fields.values()) or error.detail) from None
        self.stdout.write(f"{username} is an admin.")
