"""An environment for each peer, made when it is first asked for, in a folder that git does not see.

The pins of `requirements/NAME.txt` go in, a Python that has them comes out. Nothing of it touches the product's own.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = ROOT / ".peers"
UV = ROOT / ".venv" / "uv" / "bin" / "uv"


class NotInstalled(Exception):
    """The packages could not be had; the message is the installer's own."""


def pins(name: str) -> Path:
    """Return the file of a peer's pins."""
    return HERE / "requirements" / f"{name}.txt"


def python_of(name: str) -> Path:
    """Return the Python of a peer's environment, made anew if its pins have changed. Raises NotInstalled."""
    folder, wanted = PLACE / name, hashlib.sha256(pins(name).read_bytes()).hexdigest()
    python, stamp = folder / "bin" / "python", folder / "pins"
    if stamp.is_file() and stamp.read_text("ascii") == wanted and python.exists():
        return python
    print(f"  {name}: making an environment", flush=True)
    _run("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _run(
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--python",
        str(python),
        "--requirement",
        str(pins(name)),
    )
    stamp.write_text(wanted, "ascii")
    return python


def _run(*command: str) -> None:
    done = subprocess.run([str(UV), *command], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise NotInstalled(" ".join(done.stderr.split())[-300:])
