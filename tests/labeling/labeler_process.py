"""One labeler as a process that tests may kill at any moment: DATABASE_URL is set, argv is name, seed and a folder.

It says that it is ready by a file, begins when the folder holds `go`, and writes down what the server took.
"""

import json
import os
import sys
import time
from pathlib import Path

import django


def main(name: str, seed: str, folder: Path) -> None:
    from django.utils import timezone

    from labeling.models.projects import Project
    from tests.labeling.work import Labeler

    labeler = Labeler(Project.objects.get(), name, int(seed))
    (folder / f"ready-{name}-{seed}").touch()
    while not (folder / "go").exists():
        time.sleep(0.005)
    idle = 0
    with (folder / f"sent-{name}-{seed}.jsonl").open("a") as out:
        while idle < 3:
            idle = 0 if labeler.turn(timezone.now()) else idle + 1
            for key in list(labeler.sent):
                out.write(json.dumps([key, labeler.sent.pop(key)]) + "\n")
            out.flush()
            if idle:
                time.sleep(0.4)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
