"""A real JupyterLab on this machine, with settings, kernels and notebooks of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

TIMEOUT = 120  # seconds, of what takes some on a machine that others use too

CONFIG = {
    "LabApp": {"check_for_updates_class": "jupyterlab.NeverCheckForUpdate"},
    "ServerApp": {
        "ip": "127.0.0.1",
        "open_browser": False,
        "allow_root": True,
        "jpserver_extensions": {"jupyterlab": True, "jupyter_lsp": False, "jupyter_server_terminals": False},
    },
}
# Nothing is fetched from elsewhere.
NOTIFICATION = {"fetchNews": "false", "checkForUpdates": False}


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Cells of code that have not run."""
    empty: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    made = [{**empty, "id": f"cell-{n}", "source": source} for n, source in enumerate(cells)]
    kernel = {"kernelspec": {"name": "here", "display_name": "here", "language": "python"}}
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that shows the notebooks in ``folder``, up to the path; its kernels end with it."""
    own = folder / ".jupyter"
    (own / "data" / "kernels" / "here").mkdir(parents=True)
    (own / "config").mkdir(exist_ok=True)
    source = Path(__file__).parents[2] / "src"
    kernel = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "here",
        "language": "python",
        "env": {"PYTHONPATH": os.fspath(source)},
    }
    (own / "data" / "kernels" / "here" / "kernel.json").write_text(json.dumps(kernel))
    (own / "config" / "jupyter_server_config.json").write_text(json.dumps(CONFIG))
    settings = own / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NOTIFICATION))
    places = {
        "HOME": own,
        "JUPYTER_CONFIG_DIR": own / "config",
        "JUPYTER_DATA_DIR": own / "data",
        "JUPYTER_PATH": own / "data",
        "JUPYTER_RUNTIME_DIR": own / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": own / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces",
        "IPYTHONDIR": own / "ipython",
    }
    token = secrets.token_hex(16)
    with (own / "log").open("w") as log:
        server = psutil.Popen(
            [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"],
            env={**os.environ, **{name: os.fspath(place) for name, place in places.items()}},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        try:
            yield f"{_address(server, own)}doc/tree/{{}}?token={token}"
        finally:
            kernels = server.children(recursive=True)
            server.terminate()  # which ends the kernels first
            _, left = psutil.wait_procs([server, *kernels], timeout=TIMEOUT)
            for process in left:
                process.kill()
            assert not left, f"JupyterLab left {left}"


def _address(server: psutil.Popen, own: Path) -> str:
    """Where it listens, as soon as it does."""
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until and server.poll() is None:
        for found in (own / "runtime").glob("jpserver-*.json"):
            try:
                return str(json.loads(found.read_text())["url"])
            except ValueError:
                pass  # it is being written
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{(own / 'log').read_text()}")
