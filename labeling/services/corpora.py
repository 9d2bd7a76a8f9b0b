"""Corpora: text files to pretrain on, kept once per content."""

import codecs
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.records import Corpus


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
