"""The folder of public human-feedback data, which tests read where it is and pass without."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("RANKLOOP_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
needed = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not there; RANKLOOP_SHARED_DATA names another")
