"""Corpora: text files to pretrain on, kept once per content.

A text with a paragraph that is a prompt of an evaluation set, or nearly one, is refused as a whole.
"""

import codecs
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.records import Corpus
from labeling.services import evaluations

LONGEST = 100_000  # characters of a paragraph; a longer one is nearly no prompt


def store(*, project: Project, name: str, blocks: Iterable[bytes], by: User | None, now: datetime) -> Corpus:
    """Write the text to the artifacts folder. The same text again is the corpus that is there."""
    identity = uuid.uuid4()
    folder = Path(settings.ARTIFACTS) / "corpora"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".corpus.", dir=folder)
    try:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(descriptor, "wb") as stream:
            for block in _utf8(blocks):
                digest.update(block)
                size += len(block)
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        if size == 0:
            raise errors.Invalid(fields={"text": "is empty"})
        _refuse_evaluated(project, Path(temporary))
        Path(temporary).chmod(0o644)
        target = folder / f"{identity}.txt"
        Path(temporary).rename(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    try:
        with transaction.atomic():
            return Corpus.objects.create(
                uuid=identity, project=project, name=name, location=f"corpora/{identity}.txt", bytes=size,
                sha256=digest.hexdigest(), created_by=by, created_at=now,
            )  # fmt: skip
    except IntegrityError:
        target.unlink()
        return Corpus.objects.get(project=project, sha256=digest.hexdigest())


def _utf8(blocks: Iterable[bytes]) -> Iterable[bytes]:
    """The same blocks, checked on the way."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in blocks:
            decoder.decode(block)
            yield block
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise errors.Invalid(fields={"file": "is not UTF-8 text"}) from None


def _refuse_evaluated(project: Project, path: Path) -> None:
    if not evaluations.exist(project):
        return
    with path.open(encoding="utf-8") as lines:
        found = paragraphs(lines)
        while piece := list(islice(found, evaluations.BATCH)):
            conversations = [[{"role": "user", "content": text, "name": ""}] for text in piece]
            evaluations.refuse(project=project, conversations=conversations, field="text")


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """What stands between blank lines, but for what is longer than LONGEST."""
    held: list[str] = []
    size = 0
    for line in chain(lines, [""]):
        if line.strip():
            size += len(line)
            if size <= LONGEST:
                held.append(line)
            continue
        if held and size <= LONGEST:
            yield "".join(held).strip()
        held, size = [], 0
