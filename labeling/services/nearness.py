"""Near-duplicates by MinHash: pieces of signatures are kept with the prompts, so that no size takes more memory.

Two prompts are nearly the same where the Jaccard similarity of their shingles is SIMILAR or more. Bands of hashes
name the candidates (Broder 1997; Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4), and each candidate's
text is compared exactly. 16 bands of 4 miss one in 5,000 of those at the limit.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet

from labeling.formats.tables import needed
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, PromptBand

SIMILAR = 0.8
BANDS, ROWS = 16, 4
SHINGLE = 3  # words; texts of fewer are compared by characters
BATCH = 500
MOST = 500  # stored prompts of one band that a text is compared with; evaluation sets have no such limit


def nothing() -> None:
    """For who needs no sign of life."""


class Index:
    """The prompts of one project by their bands, and those of the batch that is not stored yet."""

    def __init__(self, *, project: Project, only_evaluation: bool, alive: Callable[[], None] = nothing) -> None:
        """`only_evaluation`: texts are compared with prompts of evaluation sets, and with nothing else.

        `alive` is called again and again by what takes long.
        """
        self.project, self.only_evaluation, self._alive = project, only_evaluation, alive
        self._minhash = needed("datasketch", "Near-duplicates").MinHash
        self._fresh: dict[str, tuple[set[str], list[int]]] = {}  # prompt key -> its shingles and bands
        self._by_band: dict[int, list[str]] = defaultdict(list)

    def fill(self) -> None:
        """Index what was stored while nobody asked for near-duplicates."""
        rows = Prompt.objects.filter(project=self.project, bands=None, erased_at=None)
        rows = rows.exclude(evaluation_set=None) if self.only_evaluation else rows
        while piece := list(rows.order_by("pk")[:BATCH]):
            self._alive()
            PromptBand.objects.bulk_create(
                PromptBand(project=self.project, value=value, prompt=row)
                for row in piece
                for value in self._bands(_shingles(said(row.messages)))
            )

    def near(self, texts: Mapping[str, str]) -> dict[str, str]:
        """What each text is nearly the same as: "evaluation", "prompt", or empty for nothing that is there before it.

        `texts` are by the prompts' keys, in their order. A few queries each BATCH texts, however many there are.
        """
        found: dict[str, str] = {}
        keys = list(texts)
        for start in range(0, len(keys), BATCH):
            self._alive()
            cut = {key: _shingles(texts[key]) for key in keys[start : start + BATCH]}
            bands = {key: self._bands(shingles) for key, shingles in cut.items()}
            stored = _Stored(self, {band for some in bands.values() for band in some})
            for key, shingles in cut.items():
                near = stored.near(key, shingles, bands[key])
                if not self.only_evaluation and near != "evaluation":
                    near = self._near_fresh(key, shingles, bands[key]) or near
                    if not near and key not in self._fresh:
                        self._keep(key, shingles, bands[key])
                found[key] = near
        return found

    def _near_fresh(self, key: str, shingles: set[str], bands: list[int]) -> str:
        others = {one for band in bands for one in self._by_band.get(band, ())} - {key}
        return "prompt" if any(_similarity(shingles, self._fresh[one][0]) >= SIMILAR for one in others) else ""

    def _keep(self, key: str, shingles: set[str], bands: list[int]) -> None:
        self._fresh[key] = (shingles, bands)
        for band in bands:
            self._by_band[band].append(key)

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

    def _bands(self, shingles: set[str]) -> list[int]:
        signature = self._minhash(num_perm=BANDS * ROWS, seed=1)
        signature.update_batch([one.encode("utf-8", "surrogatepass") for one in shingles])
        found = []
        for band in range(BANDS):
            block = band.to_bytes(1, "big") + signature.hashvalues[band * ROWS : (band + 1) * ROWS].tobytes()
            digest = hashlib.blake2b(block, digest_size=8).digest()
            found.append(int.from_bytes(digest, "big", signed=True))
        return found


class _Stored:
    """The stored prompts that share one of the bands: all of evaluation sets, and MOST of the others a band."""

    def __init__(self, index: Index, bands: set[int]) -> None:
        rows = PromptBand.objects.filter(project=index.project, value__in=bands)
        if index.only_evaluation:
            rows = rows.exclude(prompt__evaluation_set=None)
        self._by_band: dict[int, list[int]] = defaultdict(list)
        for band, pk, evaluation in rows.values_list("value", "prompt_id", "prompt__evaluation_set_id").iterator():
            if evaluation is not None or len(self._by_band[band]) < MOST:
                self._by_band[band].append(pk)
        wanted = list({pk for some in self._by_band.values() for pk in some})
        self._prompts: dict[int, tuple[str, set[str], bool]] = {}
        for start in range(0, len(wanted), BATCH):
            for row in Prompt.objects.filter(pk__in=wanted[start : start + BATCH]):
                shingles = _shingles(said(row.messages))
                self._prompts[row.pk] = (row.content_hash, shingles, row.evaluation_set_id is not None)

    def near(self, key: str, shingles: set[str], bands: list[int]) -> str:
        near = ""
        for pk in {one for band in bands for one in self._by_band.get(band, ())}:
            other, cut, evaluation = self._prompts[pk]
            if other != key and _similarity(shingles, cut) >= SIMILAR:
                if evaluation:
                    return "evaluation"
                near = "prompt"
        return near


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
