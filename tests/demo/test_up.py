"""What `make run` reads from its environment and refuses."""

import socket

import pytest

from demo import up


def test_defaults():
    chosen = up.options({})
    assert (chosen.seed, chosen.port, chosen.exit) == (1, 8000, False)
    assert chosen.var == up.ROOT / "var"
    assert chosen.address == "http://127.0.0.1:8000"


def test_seed_port_and_exit_are_honoured(tmp_path):
    chosen = up.options({"SEED": "7", "PORT": "8080", "EXIT": "1", "RANKLOOP_VAR": str(tmp_path)})
    assert (chosen.seed, chosen.port, chosen.exit, chosen.var) == (7, 8080, True, tmp_path)
    assert not up.options({"EXIT": "0"}).exit


@pytest.mark.parametrize("name", ["SEED", "PORT"])
@pytest.mark.parametrize("value", ["x", "-1", "1.5"])
def test_what_is_not_a_number_is_refused_by_name(name, value):
    with pytest.raises(up.UpError, match=name):
        up.options({name: value})


def test_a_taken_port_is_refused_with_the_remedy(tmp_path, monkeypatch, capsys):
    with socket.socket() as holder:
        holder.bind((up.HOST, 0))
        holder.listen()
        monkeypatch.setenv("PORT", str(holder.getsockname()[1]))
        monkeypatch.setenv("RANKLOOP_VAR", str(tmp_path))
        assert up.main() == 1
    assert "PORT=n" in capsys.readouterr().out


def test_two_at_once_in_one_folder_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANKLOOP_VAR", str(tmp_path))
    with up._alone(tmp_path):
        assert up.main() == 1
    assert "another `make run`" in capsys.readouterr().out
