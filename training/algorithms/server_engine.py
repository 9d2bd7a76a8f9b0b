"""Rollouts from any server that speaks OpenAI's chat completions: vLLM, LM Studio, TogetherAI, `transformers serve`.

The second engine behind `sampling.Engine`. A response is text, with log-probabilities where the server gives them;
its token ids are the server's own and stay unknown. Each rollout is a request of its own, with its own seed; servers
keep a prompt's prefix by themselves. What a server refuses for good ends the run with a sentence; what may pass
(429, 5xx, a connection that breaks) is tried again.

Keys come from the environment alone, each for the server it belongs to: RANKLOOP_SERVER_KEYS="URL=KEY URL=KEY".
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from contracts.configs import SampleConfig
from contracts.records import PromptRecord, Rollout, RolloutSetRecord
from contracts.run_dir import Cancelled
from training.algorithms.decoding import row_seed

KEYS = "RANKLOOP_SERVER_KEYS"
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between attempts, doubled each time
OPTIONAL = ("logprobs", "seed")  # fields that some servers refuse, and that a rollout can do without
CUT_OFF = ("length", "max_tokens")
PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
log = logging.getLogger(__name__)


class ServerError(ValueError):
    """The server cannot be used as it was asked; the sentence says what to change."""


class ServerEngine:
    """Draws from one model of one server, `concurrency` requests at a time."""

    def __init__(self, config: SampleConfig) -> None:
        self.config = config
        self.url = config.server.rstrip("/") + "/chat/completions"
        self.left_out: set[str] = set()
        self._lock = threading.Lock()
        key = key_for(config.server)
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(config.request_seconds, connect=10.0),
            limits=httpx.Limits(max_connections=config.concurrency),
        )

    def encode(self, records: Sequence[PromptRecord]) -> tuple[list[list[int]], list[int]]:
        """The server knows its tokens and its context; every prompt is taken."""
        return [[] for _ in records], list(range(len(records)))

    def draw(
        self, numbered: Sequence[tuple[int, PromptRecord, list[int]]], seed: int, check: Callable[..., None]
    ) -> list[RolloutSetRecord]:
        """`rollouts_per_prompt` rollouts of each (number, prompt, ids), in this order."""
        stop = threading.Event()
        jobs = [
            (record, index, row_seed(seed, number, index))
            for number, record, _ in numbered
            for index in range(self.config.rollouts_per_prompt)
        ]
        with ThreadPoolExecutor(self.config.concurrency) as pool:
            futures = [pool.submit(self.rollout, *job, stop) for job in jobs]
            try:
                rollouts = []
                for future in futures:
                    while not _done(future):
                        check()
                    rollouts.append(future.result())
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        k = self.config.rollouts_per_prompt
        return [
            RolloutSetRecord(prompt_id=record.id, rollouts=tuple(rollouts[i * k : (i + 1) * k]))
            for i, (_, record, _) in enumerate(numbered)
        ]

    def rollout(self, record: PromptRecord, index: int, seed: int, stop: threading.Event) -> Rollout:
        body = {
            "model": self.config.server_model,
            "messages": [_turn(message) for message in record.messages],
            "max_tokens": self.config.max_new_tokens,
            "temperature": self.config.temperature,
            "top_p": 1.0,
            "n": 1,
            "seed": seed % (1 << 31),
            "logprobs": True,
        }
        answer = self.ask(body, stop)
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
            content = (choice.get("logprobs") or {}).get("content") or []
            logprobs = tuple(round(float(token["logprob"]), 6) for token in content)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ServerError(
                f"{self.url} did not answer with a chat completion ({type(error).__name__}: {error}); "
                "name the address below which /chat/completions lies, usually one that ends in /v1"
            ) from error
        reason = "length" if choice.get("finish_reason") in CUT_OFF else "stop"
        return Rollout(index=index, text=text, token_ids=(), token_logprobs=logprobs, finish_reason=reason, seed=seed)

    def ask(self, body: dict[str, Any], stop: threading.Event) -> Any:
        """The server's JSON answer, after as many attempts as it takes and the config allows."""
        problem = ""
        for attempt in range(self.config.retries + 1):
            if stop.is_set():
                raise Cancelled
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1.0)
            sent = {name: value for name, value in body.items() if name not in self.left_out}
            try:
                response = self._http.post(self.url, json=sent)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if response.is_success:
                    return _json(response, self.url)
                problem = f"{response.status_code}: {_said(response)}"
                if response.status_code == 400 and self._leave_out(sent):
                    return self.ask(body, stop)
                if response.status_code not in PASSING:
                    raise ServerError(_final(self.url, response.status_code, problem, self.config.server_model))
                wait = max(wait, _retry_after(response))
            log.warning("attempt %d at %s: %s", attempt + 1, self.url, problem)
            if attempt < self.config.retries:
                stop.wait(wait)
        raise ServerError(
            f"{self.url} did not answer in {self.config.retries + 1} attempts ({problem}); see that the server runs, "
            "or raise retries or lower concurrency; resuming keeps what was drawn"
        )

    def _leave_out(self, sent: dict[str, Any]) -> bool:
        """After a 400: go on without the optional fields, once for the run. False where they were left out already."""
        with self._lock:
            if not set(OPTIONAL) & set(sent):
                return False
            self.left_out |= set(OPTIONAL)
        log.warning("%s refuses a request; going on without %s", self.url, " and ".join(OPTIONAL))
        return True


def key_for(server: str) -> str:
    """The environment's key for this server; empty where it has none. A key never goes to another server."""
    for pair in os.environ.get(KEYS, "").split():
        url, _, key = pair.partition("=")
        if url.rstrip("/") == server.rstrip("/"):
            return key
    return ""


def _done(future: Any) -> bool:
    """Whether it has ended within a moment."""
    try:
        future.exception(timeout=0.1)
    except TimeoutError:
        return False
    return True


def _turn(message: Any) -> dict[str, str]:
    turn = {"role": message.role, "content": message.content}
    return {**turn, "name": message.name} if message.name else turn


def _json(response: httpx.Response, url: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise ServerError(f"{url} did not answer in JSON; name the server's /v1 address") from error


def _said(response: httpx.Response) -> str:
    """The server's own words, shortened."""
    try:
        error = response.json()["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        text = response.text
    return " ".join(str(text).split())[:300]


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(LONGEST_WAIT, float(value)) if value.isascii() and value.isdigit() else 0.0


def _final(url: str, status: int, problem: str, model: str) -> str:
    if status in (401, 403):
        return f"{url} refuses the key ({problem}); give the worker {KEYS}='URL=KEY' with this server's address"
    if status == 404:
        return f"{url} is not there, or has no model {model!r} ({problem}); correct server or server_model"
    return f"{url} refuses the request ({problem}); correct the config or the prompts"
