"""Data sets by their name on the Hugging Face hub: fetched only when asked for and allowed, by its own client."""

import re
from importlib import import_module
from pathlib import Path

from labeling.formats.items import Unreadable

_NAME = re.compile(r"hub:([\w.-]+/[\w.-]+)(?:@([\w.-]+))?")


def is_name(text: str) -> bool:
    return text.startswith("hub:")


def fetch(text: str, *, allowed: bool) -> Path:
    """The folder with the data set's files, at the named revision. Code that comes with it is never run."""
    named = _NAME.fullmatch(text)
    if named is None:
        raise Unreadable(f"{text} is not of the form hub:OWNER/NAME or hub:OWNER/NAME@REVISION")
    if not allowed:
        raise Unreadable(f"{text} would be fetched over the network, which was not allowed: see --allow-hub")
    try:
        client = import_module("huggingface_hub")
    except ImportError:
        raise Unreadable(f"{text} needs the package huggingface_hub, which is in requirements-learn.txt") from None
    try:
        folder = client.snapshot_download(
            named[1], repo_type="dataset", revision=named[2],
            allow_patterns=["*.parquet", "*.jsonl", "*.json", "*.jsonl.gz", "*.csv", "*.tsv", "*.txt", "*.arrow"],
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Unreadable(
            f"{text} cannot be fetched: {reason.rstrip('.'):.300}. Where there is no network, fetch it elsewhere with"
            f" `hf download {named[1]} --repo-type dataset --local-dir FOLDER` and import the folder"
        ) from None
    return Path(folder)
