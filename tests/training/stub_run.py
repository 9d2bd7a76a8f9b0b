"""Stands in for `python -m training.algorithms RUN_DIR` where the supervisor is what a test is about.

It counts to config["steps"] and keeps its place in state/, like a real run. The seed says how it behaves.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from contracts.run_dir import CANCELLED, FAILED, SUCCEEDED, SUPERVISOR_PID, RunDir, read_json, write_json

STEP_SECONDS = 0.05
WELL, FAILS, CRASHES, IS_KILLED, STUBBORN, BREAKS_OUTPUT = range(6)


def main(folder: RunDir) -> int:
    threading.Thread(target=end_with_supervisor, daemon=True).start()
    with folder.exclusive():
        return count(folder)


def count(folder: RunDir) -> int:
    spec = folder.spec()
    steps, behaviour = spec.config["steps"], spec.seed
    saved = read_json(folder.state / "place.json")
    done = saved["done"] if saved else 0
    folder.drop_after(done)
    sys.stderr.write(f"starting after step {done}\n")
    if behaviour == STUBBORN:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for step in range(done + 1, steps + 1):
        if folder.cancel_requested() and behaviour != STUBBORN:
            save(folder, step - 1)
            return CANCELLED
        time.sleep(STEP_SECONDS)
        folder.add_metrics(step, loss=1 / step)
        folder.set_progress("count", step, steps)
        if step % 10 == 0:
            folder.add_sample(step, prompt="two and two?", text="four", score=1.0)
            save(folder, step)
        if step == 3 and behaviour == FAILS:
            sys.stderr.write("Traceback: the data are bad\n")
            folder.write_error("bad_input", "demonstrations has 0 rows, at least 1 is needed; write some.")
            return FAILED
        if step == 3 and behaviour == CRASHES:
            raise ZeroDivisionError("nobody caught this")
        if step == 3 and behaviour == IS_KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
    with folder.saving_output(kind="base") as output:
        write_json(output / "weights.json", {"counted": steps})
    if behaviour == BREAKS_OUTPUT:
        write_json(folder.output / "weights.json", {"counted": -1})
    folder.write_report({"counted": steps})
    return SUCCEEDED


def save(folder: RunDir, done: int) -> None:
    with folder.saving_state() as state:
        write_json(state / "place.json", {"done": done})


def end_with_supervisor() -> None:
    supervisor = int(os.environ[SUPERVISOR_PID])
    while os.getppid() == supervisor:
        time.sleep(0.1)
    os._exit(FAILED)


if __name__ == "__main__":
    sys.exit(main(RunDir(sys.argv[1])))
