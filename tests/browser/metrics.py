"""Measures and samples of a run, as its process would report them. Run as a program against the server's database."""

import math
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main(run_id: str, text: str = "Five **flowers**.") -> None:
    django.setup()
    from training.models.runs import Metric, Run, Sample

    run = Run.objects.get(pk=run_id)
    for step in range(60):
        loss = 4 * math.exp(-step / 20) + 0.3 * math.sin(step)
        body = {"loss": loss, "entropy": 2.5 - step / 40, "tokens_per_second": 5_000 + 40 * step}
        Metric.objects.create(run=run, seq=step, step=step, time=1_700_000_000 + step, body=body)
    body = {"prompt": text, "text": text, "reward": 1.5}
    Sample.objects.create(run=run, seq=0, step=50, time=1_700_000_050, body=body)


if __name__ == "__main__":
    main(*sys.argv[1:])
