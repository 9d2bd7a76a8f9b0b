"""The run directory: the whole protocol between a run's process and its supervisor.

    run.json        what to do: kind, config, seed, inputs with hashes, versions      supervisor
    inputs/         files that inputs point to, where they are not elsewhere          supervisor
    cancel          its presence asks for a clean stop                                supervisor
    metrics.jsonl   {"step", "time", "values"} a line, only ever appended             process
    samples.jsonl   {"step", "time", "prompt", "text", "values"} a line               process
    progress.json   {"stage", "done", "total", "text", "time"}                        process
    state/          the newest resumable state, complete or absent                    process
    output/         the artifact and manifest.json with the hash of every file        process
    report.json     what a person should know of the result                           process
    error.json      {"code", "sentence"} of a run that failed                         process
    log.txt         standard output and error                                         supervisor

Running the same command on the same directory again resumes. One process at a time holds `lock`, so a
second attempt waits until the first one's orphan is gone. An algorithm sees nothing but this directory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from contracts.snapshots import canonical_json, file_hash

FORMAT = 1
# The system's words for "it does not fit": device full, quota used up, file over the process's limit.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Exit statuses of `python -m training.algorithms RUN_DIR`.
SUCCEEDED, FAILED, CANCELLED = 0, 1, 3
# The supervisor's process id; the run's process ends itself once this is no longer its parent.
SUPERVISOR_PID = "RANKLOOP_SUPERVISOR_PID"


class RunDirError(Exception):
    """A run directory, or an artifact in one, is not as its protocol says."""


class Cancelled(Exception):
    """The run was asked to stop and has saved its state."""


@dataclass(frozen=True, kw_only=True)
class InputRef:
    """Where an input lies. `path` is absolute or relative to the run directory, and `sha256` is that of
    its manifest or, for a single file, of the file; `hub` names a Hugging Face model instead."""

    path: str = ""
    sha256: str = ""
    hub: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """`run.json`: enough to run, and to run again with the same result."""

    run_id: str
    kind: str
    config: dict[str, Any]
    seed: int
    inputs: dict[str, InputRef]
    versions: dict[str, str] = field(default_factory=dict)


class DiskFull(RunDirError):
    """What was being written did not fit. Nothing of it is left, and what was there before still is."""


class RunDir:
    """Paths and atomic reads and writes of one run directory."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self.output = self.path / "output"
        self.state = self.path / "state"
        self.log = self.path / "log.txt"
        self.report_file = self.path / "report.json"
        self.error_file = self.path / "error.json"

    # The supervisor's side.

    def create(self, spec: RunSpec) -> None:
        """Write run.json. Doing so again is harmless with the same content and refused with another."""
        (self.path / "inputs").mkdir(parents=True, exist_ok=True)
        target = self.path / "run.json"
        if target.exists() and self.spec() != spec:
            raise RunDirError(f"{target} exists and says otherwise; use a new directory")
        write_json(target, {"format": FORMAT, **asdict(spec)})

    def ask_to_cancel(self) -> None:
        (self.path / "cancel").touch()

    def withdraw_cancel(self) -> None:
        (self.path / "cancel").unlink(missing_ok=True)

    def tail(self, name: str, *, after: int = 0, limit: int = 1 << 20) -> tuple[list[dict[str, Any]], int]:
        """Complete lines of metrics.jsonl or samples.jsonl past byte `after`, and the offset to go on from."""
        path = self.path / name
        if not path.exists():
            return [], after
        with path.open("rb") as stream:
            stream.seek(after)
            block = stream.read(limit)
        complete = block[: block.rfind(b"\n") + 1]
        return [json.loads(line) for line in complete.splitlines()], after + len(complete)

    def progress(self) -> dict[str, Any] | None:
        return read_json(self.path / "progress.json")

    def report(self) -> dict[str, Any] | None:
        return read_json(self.report_file)

    def error(self) -> dict[str, Any] | None:
        return read_json(self.error_file)

    # The process's side.

    def spec(self) -> RunSpec:
        plain = read_json(self.path / "run.json")
        if plain is None or plain.pop("format", None) != FORMAT:
            raise RunDirError(f"{self.path}: no run.json of format {FORMAT}")
        try:
            plain["inputs"] = {name: InputRef(**ref) for name, ref in plain["inputs"].items()}
            return RunSpec(**plain)
        except (KeyError, TypeError, AttributeError) as error:
            raise RunDirError(f"{self.path}/run.json: {error}") from error

    def input(self, name: str) -> str:
        """An input's absolute path, verified against its hash, or its hub name."""
        ref = self.spec().inputs[name]
        if ref.hub:
            return ref.hub
        path = self.path / ref.path
        hashed = path / "manifest.json" if path.is_dir() and (path / "manifest.json").exists() else path
        if not path.exists():
            raise RunDirError(f"input {name}: {path} does not exist")
        if ref.sha256 and hashed.is_file() and file_hash(hashed) != ref.sha256:
            raise RunDirError(f"input {name}: {hashed} is not the file that the run was started with")
        return str(path)

    def has_input(self, name: str) -> bool:
        return name in self.spec().inputs

    def cancel_requested(self) -> bool:
        return (self.path / "cancel").exists()

    @contextlib.contextmanager
    def exclusive(self, *, wait: float = 30.0) -> Iterator[None]:
        """Hold the directory; the kernel lets go of it when the process ends, however it ends."""
        with (self.path / "lock").open("w") as stream:
            deadline = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise RunDirError(f"{self.path}: another process works here") from None
                    time.sleep(0.1)
            yield

    def set_progress(self, stage: str, done: int, total: int, text: str = "") -> None:
        write_json(
            self.path / "progress.json",
            {"stage": stage, "done": done, "total": total, "text": text, "time": time.time()},
            durable=False,
        )

    def add_metrics(self, step: int, **values: float) -> None:
        self._append("metrics.jsonl", {"step": step, "time": time.time(), "values": _finite(values)})

    def add_sample(self, step: int, *, prompt: str, text: str, **values: float) -> None:
        row = {"step": step, "time": time.time(), "prompt": prompt, "text": text, "values": _finite(values)}
        self._append("samples.jsonl", row)

    def drop_after(self, step: int) -> None:
        """Forget metrics and samples past `step`: a resumed run writes those steps again."""
        for name in ("metrics.jsonl", "samples.jsonl"):
            path = self.path / name
            if path.exists():
                rows, _ = self.tail(name, limit=-1)
                kept = "".join(canonical_json(row) + "\n" for row in rows if row["step"] <= step)
                replace_text(path, kept)

    @contextlib.contextmanager
    def saving_state(self) -> Iterator[Path]:
        """A folder to write a state to; it becomes `state/` when the block ends without an error."""
        with replacing_folder(self.state) as folder:
            yield folder

    @contextlib.contextmanager
    def saving_output(self, **details: Any) -> Iterator[Path]:
        """A folder to write the artifact to; it gets a manifest of hashes and becomes `output/`."""
        with replacing_folder(self.output) as folder:
            yield folder
            write_manifest(folder, details)

    def write_report(self, report: Mapping[str, Any]) -> None:
        write_json(self.report_file, report)

    def write_error(self, code: str, sentence: str) -> None:
        write_json(self.error_file, {"code": code, "sentence": sentence})

    def is_finished(self) -> bool:
        return (self.output / "manifest.json").exists() and self.report_file.exists()

    def _append(self, name: str, row: dict[str, Any]) -> None:
        with (self.path / name).open("a", encoding="utf-8") as stream:
            stream.write(canonical_json(row) + "\n")


def write_manifest(folder: Path, details: dict[str, Any]) -> None:
    """Write manifest.json: `details` and, under "files", the sha256 of every file in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    hashes = {path.relative_to(folder).as_posix(): file_hash(path) for path in files}
    write_json(folder / "manifest.json", {"format": FORMAT, "files": hashes, **details})


def verify_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an artifact if every file is there and hashes to it, else raise."""
    plain = read_json(folder / "manifest.json")
    if plain is None or plain.get("format") != FORMAT:
        raise RunDirError(f"{folder}: no manifest of format {FORMAT}; the artifact is incomplete")
    for name, expected in plain["files"].items():
        path = folder / name
        if not path.is_file():
            raise RunDirError(f"{path} is missing; restore the artifact or run again")
        found = file_hash(path)
        if found != expected:
            raise RunDirError(f"{path} hashes to {found}, the manifest says {expected}; restore it or run again")
    return plain


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the target's place when the block ends without an error.

    A crash between the two renames leaves the old folder as `NAME.old`; `recover_folder` puts it back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    recover_folder(target)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    temporary.chmod(0o755)
    try:
        with naming_a_full_disk(target):
            yield temporary
            _to_disk(temporary)
        old = target.with_name(target.name + ".old")
        if target.exists():
            target.rename(old)
        temporary.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


@contextlib.contextmanager
def naming_a_full_disk(target: Path) -> Iterator[None]:
    """Turn "no space left", whichever library met it, into a `DiskFull` that says what to do."""
    try:
        yield
    except Exception as error:
        if not _says_full(error):
            raise
        try:
            free = f"{shutil.disk_usage(target.parent).free / 1e6:,.0f} MB free"
        except OSError:
            free = "no room"
        raise DiskFull(
            f"{target}: found {free} and a write refused ({str(error).strip()[:200]}), expected room for it all; "
            "free some space, or raise the quota, and run again: it goes on from the last saved state"
        ) from error


def _says_full(error: BaseException) -> bool:
    """Rust libraries, such as safetensors, tell the system's error number in their text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(f"(os error {number})" in str(error) for number in FULL)


def recover_folder(target: Path) -> None:
    """Undo a replacement that a crash cut in two, and remove temporary folders that it left."""
    old = target.with_name(target.name + ".old")
    if old.exists():
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)
    for leftover in target.parent.glob(f".{target.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def read_json(path: Path) -> Any:
    """The file's value, or None where there is no file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace a JSON file in one rename, so that a reader sees the old value or the new one."""
    replace_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", durable=durable)


def replace_text(path: Path, text: str, *, durable: bool = True) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    stream: TextIO
    try:
        with naming_a_full_disk(path), os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    temporary.chmod(0o644)
    temporary.replace(path)


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: a value that is not finite is written as null."""
    return {name: float(value) if abs(value) < float("inf") else None for name, value in values.items()}
