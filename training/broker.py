"""Celery's broker without a server: kombu's filesystem transport, with whole messages only.

kombu opens a message's file under its final name and then writes it, so a worker that polls in between
reads half a message and ends. Here a message appears by a rename.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps

LONGEST_WAIT = 0.5  # seconds


class Channel(filesystem.Channel):  # type: ignore[misc]
    """Makes its folders on first use, and puts a message in place in one step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            Path(folder).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        # Sorted by name, so first in is first out, also across a restart of the machine.
        name = f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        draft = Path(self.data_folder_out) / f".{name}"
        draft.write_text(dumps(payload), encoding="utf-8")
        draft.rename(draft.with_name(name))


class Transport(filesystem.Transport):  # type: ignore[misc]
    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # kombu shares what it knows of queues among all connections of a process; a connection to another
        # folder would then not bind its queues there, and messages would go nowhere.
        self.state = virtual.BrokerState()

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Wait in short turns: a worker looks only between them whether it was asked to stop."""
        super().drain_events(connection, timeout=min(timeout or LONGEST_WAIT, LONGEST_WAIT))
