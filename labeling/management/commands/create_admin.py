"""Make the first admin."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labeling import errors
from labeling.models.people import Role, User
from labeling.services import people


class Command(BaseCommand):
    help = "Make an admin, or make sure that this one is an active admin with this password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--password", required=True)
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        username, password, now = options["username"], options["password"], timezone.now()
        person = User.objects.filter(username=username).first()
        try:
            if person is None:
                people.create(
                    username=username, password=password, role=Role.ADMIN, name=options["name"], by=None, now=now
                )
                self.stdout.write(f"Made the admin {username}.")
            elif person.role == Role.ADMIN and person.is_active and person.check_password(password):
                self.stdout.write(f"{username} is an admin already.")
            else:
                people.change(person=person, by=None, now=now, role=Role.ADMIN, is_active=True, password=password)
                self.stdout.write(f"{username} is an admin now.")
        except errors.Refused as error:
            raise CommandError(f"{error.detail} {error.fields}") from None
