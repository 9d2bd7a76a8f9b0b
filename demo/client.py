"""A small typed client of the REST API, as any program could have one. One object per person and thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

API = "/api/v1/"
# How long a call goes on trying while the server cannot be reached, seconds: a restart takes a few.
PATIENCE = 30.0


@dataclass
class ApiError(Exception):
    """The server refused: its status, code, sentence and the sentence of each field."""

    status: int
    code: str
    detail: str
    fields: dict[str, str]

    def __str__(self) -> str:
        fields = "; ".join(f"{name}: {sentence}" for name, sentence in self.fields.items())
        return f"{self.status} {self.code}: {self.detail}" + (f" ({fields})" if fields else "")


class Client:
    """Calls as one person. A call is tried again while the server is away, if it may safely be made twice."""

    def __init__(self, address: str, *, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=address.rstrip("/") + API, headers=headers, timeout=60.0)

    @classmethod
    def login(cls, address: str, username: str, password: str) -> Client:
        """A client that carries a new token of this person."""
        with cls(address) as stranger:
            body = {"username": username, "password": password, "name": "small world"}
            return cls(address, token=stranger.post("auth/token", body)["token"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        """The answer's body, or None where there is none."""
        return self._call("POST", path, json={} if body is None else body)

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, json=body)

    def all(self, path: str, **params: Any) -> Iterator[Any]:
        """Every row of a paged list."""
        page = self.get(path, page_size=500, **params)
        while True:
            yield from page["results"]
            if not page["next"]:
                return
            page = self._call("GET", page["next"])

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                response = self._http.request(method, path, **arguments)
                break
            except httpx.TransportError as error:
                if time.monotonic() > deadline or not (
                    isinstance(error, httpx.ConnectError) or _repeatable(method, path)
                ):
                    raise
                time.sleep(0.3)
        if response.is_success:
            return response.json() if response.content else None
        raise _refusal(response)


def _repeatable(method: str, path: str) -> bool:
    """Asking for work gives the same lease again, and answers carry an idempotency key."""
    return method == "GET" or path.startswith("leases/") or path.endswith("/next")


def _refusal(response: httpx.Response) -> ApiError:
    try:
        body = response.json()
        return ApiError(response.status_code, body["code"], body["detail"], body.get("fields") or {})
    except (ValueError, KeyError, TypeError):
        return ApiError(response.status_code, "no_json", response.text[:200], {})
