"""Near-duplicates by MinHash: pieces of signatures are kept with the prompts, so that no size takes more memory.

Two prompts are nearly the same where the Jaccard similarity of their shingles is SIMILAR or more. Bands of hashes
name the candidates (Broder 1997; Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4), and each candidate's
text is compared exactly. 16 bands of 4 miss one in 5,000 of those at the limit.
"""

import hashlib
import re
from collections import defaultdict
from typing import Any

from django.db.models import QuerySet

from labeling.formats.tables import needed
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, PromptBand

SIMILAR = 0.8
BANDS, ROWS = 16, 4
SHINGLE = 3  # words; texts of fewer are compared by characters
BATCH = 500


class Index:
    """The prompts of one project by their bands, and those of the batch that is not stored yet."""

    def __init__(self, *, project: Project) -> None:
        self.project = project
        self._minhash = needed("datasketch", "Near-duplicates").MinHash
        self._fresh: dict[str, tuple[str, list[int]]] = {}  # prompt key -> its text and bands
        self._by_band: dict[int, list[str]] = defaultdict(list)

    def fill(self, *, only_evaluation: bool) -> None:
        """Index what was stored while nobody asked for near-duplicates."""
        rows = Prompt.objects.filter(project=self.project, bands=None)
        rows = rows.exclude(evaluation_set=None) if only_evaluation else rows
        while piece := list(rows.order_by("pk")[:BATCH]):
            PromptBand.objects.bulk_create(
                PromptBand(project=self.project, value=value, prompt=row)
                for row in piece
                for value in self._bands(said(row.messages))
            )

    def of(self, key: str, text: str) -> str:
        """What the text is nearly the same as: "evaluation", "prompt", or empty for nothing that is there before it."""
        shingles, bands = _shingles(text), self._bands(text)
        stored = Prompt.objects.filter(project=self.project, bands__value__in=bands).exclude(content_hash=key)
        near = ""
        for row in stored.distinct()[:BATCH]:
            if _similarity(shingles, _shingles(said(row.messages))) >= SIMILAR:
                if row.evaluation_set_id is not None:
                    return "evaluation"
                near = "prompt"
        for other in {one for band in bands for one in self._by_band.get(band, ())}:
            if other != key and _similarity(shingles, _shingles(self._fresh[other][0])) >= SIMILAR:
                near = "prompt"
        if not near and key not in self._fresh:
            self._fresh[key] = (text, bands)
            for band in bands:
                self._by_band[band].append(key)
        return near

    def store(self) -> None:
        """Keep the bands of the batch's prompts, which are stored now."""
        wanted = list(self._fresh)
        rows: QuerySet[Any] = Prompt.objects.filter(project=self.project, content_hash__in=wanted, bands=None)
        PromptBand.objects.bulk_create(
            PromptBand(project=self.project, value=value, prompt_id=pk)
            for pk, key in rows.values_list("pk", "content_hash")
            for value in self._fresh[key][1]
        )
        self.forget()

    def forget(self) -> None:
        self._fresh.clear()
        self._by_band.clear()

    def _bands(self, text: str) -> list[int]:
        signature = self._minhash(num_perm=BANDS * ROWS, seed=1)
        signature.update_batch([one.encode("utf-8", "surrogatepass") for one in _shingles(text)])
        found = []
        for band in range(BANDS):
            block = band.to_bytes(1, "big") + signature.hashvalues[band * ROWS : (band + 1) * ROWS].tobytes()
            digest = hashlib.blake2b(block, digest_size=8).digest()
            found.append(int.from_bytes(digest, "big", signed=True))
        return found


def said(messages: list[dict[str, str]]) -> str:
    """What people say in a conversation."""
    return " ".join(one["content"] for one in messages if one["role"] == "user")


def _shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    if len(words) < SHINGLE + 2:
        whole = " ".join(words) or text.strip()
        return {whole[place : place + 5] for place in range(max(1, len(whole) - 4))}
    return {" ".join(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1)}


def _similarity(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))
