"""`python -m training.algorithms RUN_DIR`: one run, start to end, or from where it was left.

Only the module of the run's own kind is imported, so no run pays for another's libraries. The exit status
is one of `contracts.run_dir`; a failure is also one sentence in error.json and a traceback on stderr.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from contracts import configs
from contracts.records import RecordError
from contracts.run_dir import CANCELLED, FAILED, SUCCEEDED, SUPERVISOR_PID, Cancelled, DiskFull, RunDir, RunDirError
from contracts.snapshots import SnapshotError

MODULES = {
    "pretrain": "training.algorithms.pretrain",
    "sft": "training.algorithms.sft",
    "sample": "training.algorithms.sampling",
    "reward_model": "rewardmodel.fit",
    "ppo": "training.algorithms.ppo",
    "best_of_n": "training.algorithms.best_of_n",
    "dpo": "training.algorithms.dpo",
    "evaluate": "training.algorithms.evaluate",
    "export": "rewardmodel.export",
}
log = logging.getLogger("training.algorithms")


class SignalledRunDir(RunDir):
    """A run directory where SIGTERM asks for the same clean stop as its `cancel` file does."""

    terminated = False

    def cancel_requested(self) -> bool:
        return self.terminated or super().cancel_requested()

    def terminate(self, *_: Any) -> None:
        self.terminated = True


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not (Path(arguments[0]) / "run.json").is_file():
        sys.stderr.write("usage: python -m training.algorithms RUN_DIR, where RUN_DIR holds run.json\n")
        return FAILED
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if supervisor := os.environ.get(SUPERVISOR_PID):
        _end_with(int(supervisor))
    os.environ.setdefault("OMP_NUM_THREADS", str(physical_cores()))
    # GNU OpenMP's threads spin for milliseconds while they wait, which makes everything several times slower once two
    # programs share the cores; sleeping at once costs a third of a small model's speed. Some tens of microseconds
    # of spinning bridge the gap between two operations, and cost nothing measurable on busy cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    os.environ.setdefault("TQDM_DISABLE", "1")
    run_dir = SignalledRunDir(arguments[0])
    signal.signal(signal.SIGTERM, run_dir.terminate)
    try:
        # Of several launched processes the first holds the directory for all.
        with run_dir.exclusive() if os.environ.get("RANK", "0") == "0" else contextlib.nullcontext():
            return _run(run_dir)
    except RunDirError as error:
        log.error("%s", error)
        return FAILED


def _run(run_dir: RunDir) -> int:
    run_dir.error_file.unlink(missing_ok=True)
    if run_dir.is_finished():
        log.info("already finished")
        return SUCCEEDED
    try:
        spec = run_dir.spec()
        config = configs.parse(spec.kind, spec.config)
        rules = configs.INPUTS[spec.kind]
        missing = [
            name for name, rule in rules.items() if rule.required and config.needs(name) and name not in spec.inputs
        ]
        if missing:
            raise RunDirError(f"{spec.kind} needs the inputs {', '.join(missing)}; name them in run.json")
        log.info("%s with seed %d: %s", spec.kind, spec.seed, spec.config)
        module = importlib.import_module(MODULES[spec.kind])
        module.run(run_dir, config, spec)
        shutil.rmtree(run_dir.state, ignore_errors=True)
    except Cancelled:
        log.info("cancelled; the state is saved")
        return CANCELLED
    except Exception as error:  # the edge of the process: every failure becomes a sentence
        log.exception("the run failed")
        run_dir.write_error(*describe(error))
        return FAILED
    return SUCCEEDED


def describe(error: Exception) -> tuple[str, str]:
    """A code and one sentence for a failure; named errors bring their own sentence."""
    text = " ".join(str(error).split())[:600]
    if isinstance(error, configs.ConfigError):
        return "bad_config", text
    if isinstance(error, DiskFull):
        return "disk_full", text
    if isinstance(error, RunDirError | SnapshotError | RecordError):
        return "bad_input", text
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk_full", "the disk takes no more; the last saved state is whole: free space, then resume"
    if code := getattr(error, "code", None):
        return str(code), text
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out_of_memory", "memory ran out; lower the batch size, the lengths or the size of the model"
    if type(error).__module__.split(".")[0] in ("training", "rewardmodel"):
        return "bad_input", text
    return "crashed", f"{type(error).__name__}: {text}" if text else type(error).__name__


def _end_with(supervisor: int) -> None:
    """End this process, as hard as a crash would, once its supervisor is gone.

    A launcher may stand between the two; then the supervisor is not our parent and its id is looked up.
    """
    is_parent = os.getppid() == supervisor

    def watch() -> None:
        while os.getppid() == supervisor if is_parent else _exists(supervisor):
            time.sleep(0.5)
        sys.stderr.write("the supervisor is gone; this process ends\n")
        sys.stderr.flush()
        os._exit(FAILED)

    threading.Thread(target=watch, name="watch-supervisor", daemon=True).start()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def physical_cores() -> int:
    """Physical cores this process may use: more threads than that slow matrix products down."""
    import psutil  # type: ignore[import-untyped]

    return max(1, min(psutil.cpu_count(logical=False) or 1, len(psutil.Process().cpu_affinity() or [0])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
