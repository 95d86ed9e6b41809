"""Finds the program and runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path
from typing import Iterable


class StillhouseError(RuntimeError):
    """The program's refusal: its message, and in `code` its exit code (2 wrong usage, 3 bad data, 1 anything else)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def program() -> str:
    """The program's path: `$STILLHOUSE`, what pip installed with this module, or what the shell would find."""
    name = "stillhouse.exe" if sys.platform == "win32" else "stillhouse"
    users = sysconfig.get_preferred_scheme("user") if hasattr(sysconfig, "get_preferred_scheme") else None
    folders = [sysconfig.get_path("scripts")] + ([sysconfig.get_path("scripts", users)] if users else [])
    named = os.environ.get("STILLHOUSE")
    installed = [str(Path(folder) / name) for folder in folders if (Path(folder) / name).is_file()]
    found = named or (installed[0] if installed else shutil.which(name))
    if not found:
        raise FileNotFoundError("the program stillhouse is not installed; name it in the variable STILLHOUSE")
    return found


def run(
    words: Iterable[str | os.PathLike[str]], threads: int | None = None, folder: str | os.PathLike[str] | None = None
) -> str:
    """Runs the program with these words, in a folder, and returns its standard output. Its notes become Python warnings.

        stillhouse.run(["run", "mine.toml", "--out", "runs/mine"])

    Raises StillhouseError with the program's message.
    """
    if isinstance(words, (str, os.PathLike)):
        raise TypeError(f"run takes a list of words, for example ['run', 'mine.toml']; found {words!r}")
    command = [program(), *map(os.fspath, words)]
    if threads is not None:
        command += ["--threads", str(threads)]
    options = {"capture_output": True, "text": True, "encoding": "utf-8", "stdin": subprocess.DEVNULL}
    done = subprocess.run(command, cwd=folder, **options)
    if done.returncode != 0:
        raise StillhouseError(done.stderr.strip().removeprefix("error: "), done.returncode)
    for line in done.stderr.splitlines():
        if line.startswith(("note: ", "warning: ")):
            warnings.warn(line.split(": ", 1)[1], stacklevel=3)
    return done.stdout
