"""How often one may guess a password: attempts slow down as they fail, by name, by address and by both."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from labeling import errors
from labeling.models.people import SignInFailures

# Failures that cost nothing, by what they have in common. A name alone has more: others must not lock its owner out
# by a few wrong guesses, and from one address a whole office may sign in. A link is an invitation's.
FREE = {"both": 5, "name": 50, "address": 100, "link": 20}
LONGEST = 900  # seconds
FORGOTTEN = timedelta(hours=1)  # after the last failure


def require_allowed(*, username: str | None = None, address: str, now: datetime) -> None:
    """Refuse an attempt before its time, right or wrong; nothing is checked, so nothing is learned.

    Without a name, the attempt is at an invitation's link.
    """
    blocked = SignInFailures.objects.filter(key__in=_keys(username, address).values(), blocked_until__gt=now)
    until = blocked.aggregate(last=Max("blocked_until"))["last"]
    if until is not None:
        raise errors.TooMany(seconds=max(1, round((until - now).total_seconds())))


@transaction.atomic
def failed(*, username: str | None = None, address: str, now: datetime) -> None:
    for kind, key in _keys(username, address).items():
        SignInFailures.objects.get_or_create(key=key, defaults={"last_at": now})
        row = SignInFailures.objects.select_for_update().get(key=key)
        row.failures = 1 if row.last_at < now - FORGOTTEN else row.failures + 1
        row.last_at = now
        seconds = delay(row.failures, free=FREE[kind])
        row.blocked_until = now + timedelta(seconds=seconds) if seconds else None
        row.save()


def succeeded(*, username: str, address: str) -> None:
    """Right at last: the name and this address begin anew; an address that guesses at many names does not."""
    keys = _keys(username, address)
    SignInFailures.objects.filter(key__in=[keys["both"], keys["name"]]).delete()


def delay(failures: int, *, free: int) -> int:
    """Seconds until the next attempt is looked at: none at first, then 2, 4, 8 and so on up to a quarter of an hour."""
    beyond = failures - free
    return 0 if beyond < 0 else min(LONGEST, 2 ** min(beyond + 1, 20))


def _keys(username: str | None, address: str) -> dict[str, str]:
    if username is None:
        parts = {"link": f"link:{address}"}
    else:
        name = username.casefold()
        parts = {"both": f"both:{address}:{name}", "name": f"name:{name}", "address": f"address:{address}"}
    return {kind: hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for kind, text in parts.items()}
