"""The built viewer is that of its sources."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "src" / "clearhead" / "views" / "bundle"


def npm(*arguments: str) -> None:
    done = subprocess.run(["npm", *arguments], cwd=ROOT / "viewer", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types() -> None:
    npm("run", "check")


def test_the_bundle_is_built_from_these_sources(tmp_path: Path) -> None:
    npm("run", "build", "--", "--outDir", os.fspath(tmp_path))
    assert sorted(x.name for x in tmp_path.iterdir()) == sorted(x.name for x in BUNDLE.iterdir())
    for file in tmp_path.iterdir():
        assert (BUNDLE / file.name).read_bytes() == file.read_bytes(), f"{file.name} is old: make viewer"
