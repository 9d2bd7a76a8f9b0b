"""What the command lines of this package share: errors as sentences, a progress bar, results to a file."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.configs import ConfigError
from contracts.records import RecordError
from contracts.run_dir import RunDir, RunDirError, replace_text
from contracts.snapshots import SnapshotError
from rewardmodel.errors import RewardModelError


@contextlib.contextmanager
def named_errors(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Errors that name their own cause end the command with one sentence; others keep their traceback."""
    try:
        yield
    except (ConfigError, RecordError, RunDirError, SnapshotError, RewardModelError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def quiet_transformers() -> None:
    """No bars and remarks of the library's own between ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def write_or_print(text: str, path: Path | None) -> None:
    if path:
        replace_text(path, text + "\n")
    else:
        sys.stdout.write(text + "\n")


class Bar:
    """A progress bar on standard error: redrawn on a terminal, else a line every ten seconds and at the end."""

    def __init__(self) -> None:
        self._stage, self._started, self._shown = "", 0.0, 0.0

    def show(self, stage: str, done: int, total: int, text: str = "") -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._shown = stage, now, 0.0
        drawn = bar(stage, done, total, text, started=self._started)
        if sys.stderr.isatty():
            if done >= total or now - self._shown > 0.1:
                sys.stderr.write("\r\x1b[K" + drawn + ("\n" if done >= total else ""))
                self._shown = now
        elif done >= total or now - self._shown > 10:
            sys.stderr.write(drawn + "\n")
            self._shown = now
        sys.stderr.flush()


class ShownRunDir(RunDir):
    """A run directory whose progress is also a bar on standard error."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._bar = Bar()

    def set_progress(self, stage: str, done: int, total: int, text: str = "") -> None:
        super().set_progress(stage, done, total, text)
        self._bar.show(stage, done, total, text)


def bar(stage: str, done: int, total: int, text: str, *, started: float) -> str:
    """`stage  42 % ████░░░░ 21/50 0:12 left  text`."""
    share = done / total if total else 1.0
    blocks = round(20 * share)
    spent = time.monotonic() - started
    left = int(spent / done * (total - done)) if done else 0
    clock = f"{left // 60}:{left % 60:02d} left" if done < total else f"{spent:.0f} s"
    return f"{stage:<14} {share:4.0%} {'█' * blocks}{'░' * (20 - blocks)} {done}/{total} {clock}  {text}"


def add_rankings(parser: argparse.ArgumentParser) -> None:
    """The options that name rankings, alike in every command."""
    parser.add_argument(
        "--rankings",
        required=True,
        type=Path,
        metavar="FILE",
        help="rankings, in any format below, or a snapshot folder",
    )
    parser.add_argument(
        "--format",
        default="",
        help="rankloop (ours), hh (chosen and rejected dialogues), oasst (trees), ranked (lists), pairs, pandalm; "
        "default: told from the first rows",
    )


def add_combination(parser: argparse.ArgumentParser) -> None:
    """The options that say how an ensemble's members are combined, alike in every command."""
    parser.add_argument(
        "--combine", default="", help="of an ensemble: mean, min, uncertainty (mean - penalty * variance) or weights"
    )
    parser.add_argument("--penalty", type=float, help="lambda of --combine uncertainty (default: the model's own)")


def rankings(path: Path, format: str, folder: Path) -> Path:
    """The rankings as rows of ours: the file itself, or what it was converted to, below `folder`."""
    from rewardmodel import formats

    if not path.exists():
        raise formats.FormatError(f"rankings {path}: found no such file, expected one; check its name")
    if formats.is_ours(path, format):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    made, said = formats.convert(path, format, folder)
    sys.stderr.write(said + "\n")
    return made


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """`key=value` words into plain values: numbers, true, false, else text."""
    plain: dict[str, Any] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise ConfigError({pair: "expected key=value"})
        plain[name] = _plain(value)
    return plain


def _plain(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(value)
    return value
