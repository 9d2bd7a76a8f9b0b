"""People, their passwords and their tokens."""

import hashlib
import secrets
from datetime import datetime

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.people import ApiToken, Role, User
from labeling.services import audit, sign_in
from labeling.services.text import is_storable


def create(*, username: str, password: str, role: str, name: str, by: User | None, now: datetime) -> User:
    person = prepared(username=username, password=password, role=role, name=name)
    store(person=person, by=by, now=now)
    return person


def prepared(*, username: str, password: str, role: str, name: str) -> User:
    """A person who is not stored yet: all of the slow work, outside of any transaction."""
    person = User(username=username, role=role, name=name)
    _check_role(role)
    try:
        User.username_validator(username)
    except ValidationError as error:
        raise errors.Invalid(fields={"username": " ".join(error.messages)}) from None
    _set_password(person, password)
    return person


@transaction.atomic
def store(*, person: User, by: User | None, now: datetime) -> None:
    try:
        with transaction.atomic():
            person.save(force_insert=True)
    except IntegrityError:
        raise errors.Conflict(
            "This username is taken.", code="username_taken", fields={"username": "is taken"}
        ) from None
    audit.note(project=None, actor=by, action="person_created", subject=f"user:{person.uuid}",
               details={"username": person.username, "role": person.role}, now=now)  # fmt: skip


@transaction.atomic
def change(
    *,
    person: User,
    by: User | None,
    now: datetime,
    role: str | None = None,
    is_active: bool | None = None,
    name: str | None = None,
    password: str | None = None,
) -> User:
    """Change what is given. Refuses to leave the installation without an active admin."""
    changed = []
    if role is not None:
        _check_role(role)
        person.role = role
        changed.append("role")
    if is_active is not None:
        person.is_active = is_active
        changed.append("is_active")
    if name is not None:
        person.name = name
        changed.append("name")
    if password is not None:
        _set_password(person, password)
        changed.append("password")
        revoke_all(person=person, now=now)
    others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=person.pk)
    if (person.role != Role.ADMIN or not person.is_active) and not others.exists():
        raise errors.Conflict("Somebody has to stay admin.", code="last_admin")
    person.save(update_fields=changed)
    audit.note(project=None, actor=by, action="person_changed", subject=f"user:{person.uuid}",
               details={"fields": changed}, now=now)  # fmt: skip
    return person


def check_password(*, username: str, password: str, address: str, now: datetime) -> User:
    """The person with this name and password, if they may sign in. Who guesses has to wait longer and longer."""
    sign_in.require_allowed(username=username, address=address, now=now)
    if is_storable(username):
        person = authenticate(username=username, password=password)
        if isinstance(person, User):
            sign_in.succeeded(username=username, address=address)
            return person
    sign_in.failed(username=username, address=address, now=now)
    raise errors.Unauthenticated("The username or the password is wrong.", code="wrong_password")


def make_token(*, person: User, name: str, now: datetime) -> tuple[ApiToken, str]:
    """A new token and its text, which cannot be read again."""
    text = f"rl_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(user=person, name=name, digest=digest(text), created_at=now)
    return token, text


def revoke(*, token: ApiToken, now: datetime) -> None:
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)


def revoke_all(*, person: User, now: datetime) -> None:
    ApiToken.objects.filter(user=person, revoked_at=None).update(revoked_at=now)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise errors.Invalid(fields={"role": f"must be one of {', '.join(Role.values)}"})


def _set_password(person: User, password: str) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise errors.Invalid(fields={"password": " ".join(error.messages)}, code="weak_password") from None
    person.set_password(password)
