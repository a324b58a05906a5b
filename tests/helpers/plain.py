"""Scripts in a process without the checks of signatures that only tests have, and that a compiler cannot follow.

PyTorch and its tracer take seconds to import, longer than most scripts run. So a process imports them once, and a copy
of it runs each script; the package is imported anew by each.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SERVER = """
import atexit, json, os, signal, sys, traceback, warnings
import torch, torch._dynamo

for line in sys.stdin:
    script, filters, *paths = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    signal.alarm(300)
    for number, path in enumerate([os.devnull, *paths]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    warnings.simplefilter(filters)
    code = 1
    try:
        exec(script, {"__name__": "__main__"})
        code = 0
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code)
"""


@functools.cache
def server() -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    started = subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True)
    atexit.register(started.communicate)  # which closes its input, and so ends it
    return started


def printed(script: str, warnings: str = "default") -> str:
    """What a script prints; it has to end without an error."""
    process = server()
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        process.stdin.write(json.dumps([script, warnings, str(output), str(errors)]) + "\n")
        process.stdin.flush()
        code = process.stdout.readline().strip()
        assert code == "0", f"exit code {code}\n{errors.read_text(encoding='utf-8')[-3000:]}"
        return output.read_text(encoding="utf-8")
