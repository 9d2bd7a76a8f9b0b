"""What the playground shows of a request."""

from __future__ import annotations

from typing import Any

from training.models.playground import PlaygroundRequest


def reply(request: PlaygroundRequest, *, after: int) -> dict[str, Any]:
    result = request.result or {}
    return {
        **_common(request),
        "tokens": request.tokens[after:],
        "next": max(after, len(request.tokens)),
        "seed": request.body["seed"],
        "finish_reason": result.get("finish_reason", "cancelled" if request.status == "cancelled" else ""),
        "prompt_tokens": result.get("prompt_tokens"),
    }


def inspection(request: PlaygroundRequest) -> dict[str, Any]:
    result = request.result or {}
    return {
        **_common(request),
        "tokens": result.get("tokens", []),
        "position": result.get("position"),
        "next_token": result.get("next", []),
    }


def _common(request: PlaygroundRequest) -> dict[str, Any]:
    failed = request.status == PlaygroundRequest.Status.FAILED
    return {
        "id": request.id,
        "checkpoint": request.checkpoint_id,
        "status": request.status,
        "error": {"code": request.error_code, "sentence": request.error_sentence} if failed else None,
    }
