"""Progress: a bar per stage on a terminal, a line per finished stage elsewhere."""

import io

from rich.console import Console

from demo.screen import Screen


def played(*, terminal):
    out = io.StringIO()
    with Screen(Console(file=out, force_terminal=terminal, width=120)) as screen:
        for title in ("First stage", "Second stage"):
            screen.begin(title)
            screen.update(1, 4, "a note")
            screen.update(4, 4)
            screen.end()
    return out.getvalue()


def test_every_stage_has_a_bar_on_a_terminal():
    shown = played(terminal=True)
    assert "First stage" in shown
    assert "Second stage" in shown
    assert "100%" in shown


def test_elsewhere_every_finished_stage_is_one_line():
    lines = played(terminal=False).strip().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["First stage", "Second stage"]


def test_a_stage_of_unknown_length_can_end():
    with Screen(Console(file=io.StringIO(), force_terminal=True)) as screen:
        screen.begin("Nothing to do")
        screen.update(0, 0)
        screen.end()
