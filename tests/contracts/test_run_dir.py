import errno
import multiprocessing
import os
import signal
import time

import pytest

from contracts import run_dir as protocol
from contracts.run_dir import DiskFull, InputRef, RunDir, RunDirError, RunSpec, replacing_folder


def spec(**changes):
    return RunSpec(**{"run_id": "1", "kind": "sft", "config": {}, "seed": 0, "inputs": {}, **changes})


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "run")
    run.create(spec())
    return run


def test_run_json_reads_back_and_is_never_rewritten_to_something_else(tmp_path):
    run = RunDir(tmp_path)
    wanted = spec(inputs={"base": InputRef(hub="gpt2")})
    run.create(wanted)
    run.create(wanted)
    assert run.spec() == wanted
    assert run.input("base") == "gpt2"
    with pytest.raises(RunDirError, match="says otherwise"):
        run.create(spec(seed=1))


def test_an_input_that_changed_is_refused(tmp_path):
    run = RunDir(tmp_path / "run")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("hello")
    run.create(spec(inputs={"corpus": InputRef(path=str(corpus), sha256=protocol.file_hash(corpus))}))
    assert run.input("corpus") == str(corpus)
    corpus.write_text("hullo")
    with pytest.raises(RunDirError, match="input corpus"):
        run.input("corpus")


def test_a_reader_sees_only_complete_lines_and_goes_on_where_it_stopped(run):
    run.add_metrics(1, loss=2.0)
    with (run.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 2, "ti')
    rows, offset = run.tail("metrics.jsonl")
    assert [row["step"] for row in rows] == [1]
    assert run.tail("metrics.jsonl", after=offset) == ([], offset)


def test_a_value_that_is_not_finite_becomes_null(run):
    run.add_metrics(1, loss=float("nan"), kl=float("inf"), reward=-1)
    assert run.tail("metrics.jsonl")[0][0]["values"] == {"loss": None, "kl": None, "reward": -1.0}


def test_a_resumed_run_forgets_the_steps_it_repeats(run):
    for step in range(5):
        run.add_metrics(step, loss=step)
    run.drop_after(2)
    assert [row["step"] for row in run.tail("metrics.jsonl")[0]] == [0, 1, 2]


def test_an_output_is_complete_or_absent(run):
    with pytest.raises(RuntimeError), run.saving_output(kind="policy") as folder:
        (folder / "model.safetensors").write_text("half")
        raise RuntimeError("disk full")
    assert not run.output.exists()
    with run.saving_output(kind="policy") as folder:
        (folder / "model.safetensors").write_text("whole")
    assert protocol.verify_manifest(run.output)["kind"] == "policy"
    (run.output / "model.safetensors").write_text("changed")
    with pytest.raises(RunDirError, match="the manifest says"):
        protocol.verify_manifest(run.output)
    (run.output / "model.safetensors").unlink()
    with pytest.raises(RunDirError, match="missing"):
        protocol.verify_manifest(run.output)


def test_a_replacement_cut_in_two_by_a_crash_is_undone(run):
    with run.saving_state() as folder:
        (folder / "step").write_text("1")
    run.state.rename(run.path / "state.old")  # what a crash between the two renames leaves
    (run.path / ".state.leftover").mkdir()
    protocol.recover_folder(run.state)
    assert (run.state / "step").read_text() == "1"
    assert not list(run.path.glob(".state.*"))


def _hold(path, ready):
    with RunDir(path).exclusive():
        ready.set()
        time.sleep(60)


def test_one_process_works_in_a_directory_and_a_killed_one_lets_go(run):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(run.path, ready))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(RunDirError, match="another process"), run.exclusive(wait=0.2):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with run.exclusive(wait=5):
        pass


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: File too large (os error 27)"),
    ],
)
def test_a_full_disk_is_named_whichever_library_meets_it_and_the_old_folder_stays(error, tmp_path):
    target = tmp_path / "state"
    target.mkdir()
    (target / "old").write_text("1")
    with (
        pytest.raises(
            DiskFull, match=r"state: found .* free and a write refused .* expected room for it all; free some"
        ),
        replacing_folder(target),
    ):
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (target / "old").read_text() == "1"


def test_other_errors_while_writing_keep_their_own_name(tmp_path):
    with pytest.raises(PermissionError), replacing_folder(tmp_path / "state"):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert list(tmp_path.iterdir()) == []
