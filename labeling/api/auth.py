"""Who is asking: a session cookie with CSRF for the web, a bearer token for programs."""

import time

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, CSRFCheck, SessionAuthentication
from rest_framework.request import Request

from labeling import errors
from labeling.models.people import ApiToken, User
from labeling.services import people

# Digest of a token -> (user, monotonic time until which a process trusts it). Bounded; see `_remember`.
_cache: dict[str, tuple[User, float]] = {}
_CACHE_SIZE = 10_000


class TokenOrSession(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, str] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if header:
            return token_user(header), "token"
        found = SessionAuthentication().authenticate(request)
        return (found[0], "session") if found else None  # type: ignore[return-value]

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def token_user(header: str) -> User:
    """The user of an Authorization header, or `Unauthenticated`."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise errors.Unauthenticated("Send the header as: Authorization: Bearer TOKEN")
    digest = people.digest(token.strip())
    now = time.monotonic()
    known = _cache.get(digest)
    if known and known[1] > now:
        return known[0]
    row = ApiToken.objects.select_related("user").filter(digest=digest, revoked_at=None, user__is_active=True).first()
    if row is None:
        _cache.pop(digest, None)
        raise errors.Unauthenticated("This token is unknown or revoked.", code="token_unknown")
    _remember(digest, row.user, now)
    return row.user


def forget() -> None:
    """Drop what this process trusts; other processes drop it within seconds by themselves."""
    _cache.clear()


def request_user(request: HttpRequest) -> User:
    """The same for views that go around REST framework; checks CSRF where the session speaks."""
    if header := request.META.get("HTTP_AUTHORIZATION"):
        return token_user(header)
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        raise errors.Unauthenticated
    reason = _csrf_problem(request)
    if reason:
        raise errors.Forbidden(f"The CSRF check failed: {reason}", code="csrf_failed")
    return user


def _csrf_problem(request: HttpRequest) -> str | None:
    check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
    check.process_request(request)
    return check.process_view(request, None, (), {})  # type: ignore[arg-type,return-value]


def _remember(digest: str, user: User, now: float) -> None:
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    _cache[digest] = (user, now + settings.TOKEN_CACHE_SECONDS)
