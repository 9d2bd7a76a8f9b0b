"""One progress bar per stage on a terminal; one line per finished stage anywhere else."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Screen:
    """Shows stages as they run. `update` may be called from any thread."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._title = ""
        self._started = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, title: str) -> None:
        self._title, self._started = title, time.monotonic()
        self._task = self._bars.add_task(title, total=None, note="")

    def update(self, done: float, total: float, note: str = "") -> None:
        with self._lock:
            if self._task is not None and total:
                self._bars.update(self._task, completed=done, total=total, note=note)

    def end(self) -> None:
        assert self._task is not None, "begin comes before end"
        self._bars.update(self._task, completed=1, total=1, note="")
        self._bars.stop_task(self._task)
        if not self._console.is_terminal:
            self._console.print(f"{self._title}: {time.monotonic() - self._started:.1f} s")
        self._task = None
