"""The house rules that a machine can check."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = "torch", "transformers", "trl", "peft", "numpy", "scipy", "datasets"


def loaded_after(code: str) -> set[str]:
    """Top-level names in sys.modules after `code` runs in a fresh interpreter."""
    program = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


SETUP = "import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\ndjango.setup()\n"


def test_the_web_process_never_loads_torch():
    loaded = loaded_after(SETUP + "import config.urls, config.wsgi")
    assert "django" in loaded
    assert not loaded & set(HEAVY)


def test_the_celery_worker_never_loads_torch():
    loaded = loaded_after(SETUP + "import config.celery, training.tasks")
    assert "celery" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("module", ["training.algorithms.__main__", "rewardmodel.fit", "training.algorithms.ppo"])
def test_algorithms_never_load_django(module):
    loaded = loaded_after(f"import {module}")
    assert not loaded & {"django", "rest_framework", "celery", "labeling", "config"}


def test_readers_of_outside_formats_bring_no_django_to_the_torch_side():
    assert not loaded_after("import rewardmodel.formats") & {"django", "rest_framework", "celery", "config"}


def test_contracts_load_the_standard_library_only():
    modules = ", ".join(f"contracts.{path.stem}" for path in (ROOT / "contracts").glob("[a-z]*.py"))
    assert loaded_after(f"import {modules}") - set(sys.stdlib_module_names) <= {
        "contracts",
        "__mp_main__",
    } | loaded_after("")


def test_import_rules_hold():
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_package_initializers_hold_a_docstring_and_nothing_else():
    for package in ("contracts", "labeling", "training", "rewardmodel", "demo", "config"):
        for path in (ROOT / package).rglob("__init__.py"):
            if "migrations" in path.parts:
                continue
            source = path.read_text().strip()
            assert not source or re.fullmatch(r'"""[^"]*"""', source), path


def test_the_readme_tree_names_what_is_there():
    readme = (ROOT / "README.md").read_text()
    tree = re.search(r"```text\n(.*?)```", readme, re.S)
    assert tree, "README.md has no annotated tree"
    named = re.findall(r"^ {0,2}([\w./-]+)", tree.group(1), re.M)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert named
    assert not missing


def test_every_setting_the_environment_can_give_is_in_the_example():
    settings = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'\benv_?\w*\(\s*"([A-Z][A-Z0-9_]+)"', settings))
    documented = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert read
    assert read <= documented


def test_every_promise_of_the_reward_model_names_a_test_that_exists():
    named = re.findall(r"`([\w/.]+\.py)::(test_\w+)`", (ROOT / "docs" / "reward-model-tests.md").read_text())
    missing = []
    for file, name in named:
        path = ROOT / file if "/" in file else ROOT / "tests" / "rewardmodel" / file
        if f"def {name}(" not in path.read_text():
            missing.append(f"{file}::{name}")
    assert len(named) > 50
    assert not missing
