"""The parts of a credential, from where they are kept out of sight: a file, variables, or a person who types them.

Never from an argument: arguments stand in the history of the shell and in the list of processes.
"""

import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from pilothouse.core.errors import Invalid, Problem, Refused

Fields = list[dict[str, Any]]

BRIDGE: Mapping[str, Mapping[str, str]] = {
    "aster": {
        "user": "ASTERDEX_USER_ADDRESS",
        "signer": "ASTERDEX_SIGNER_ADDRESS",
        "private_key": "ASTERDEX_PRIVATE_KEY",
    },
    "binance": {"api_key": "BINANCE_API_KEY", "api_secret": "BINANCE_API_SECRET"},
}
"""Variables of a bridge that people have already, by the beginning of the venue's name."""


class FileOpenToOthers(Refused):
    """Others on this machine can read the credentials."""

    code = "credentials_file_unsafe"


def variable_of(venue: str, part: str) -> str:
    """Return the variable that a part of a credential may stand in, such as PILOTHOUSE_CREDENTIAL_API_SECRET."""
    known = next((names for name, names in BRIDGE.items() if venue.startswith(name)), {})
    return known.get(part, f"CREDENTIAL_{part.upper()}")


def collect(fields: Fields, venue: str, file: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the parts that the venue asks for: all from the file if one is named, else from variables or by asking.

    fields   {name, words, secret} of each part, as the house tells them

    Raises Refused for a file that others can read, and Invalid naming what is missing where nobody can be asked.
    """
    if file is not None:
        return read_file(file)
    parts: dict[str, str] = {}
    missing = []
    for field in fields:
        name = str(field["name"])
        variable = variable_of(venue, name)
        value = environment.get(variable, "").strip()
        if not value and sys.stdin.isatty():
            value = typer.prompt(f"{name} ({field['words']})", hide_input=bool(field["secret"]), err=True).strip()
        if value:
            parts[name] = value
        else:
            missing.append(Problem(name, "nothing", f"{field['words']}: set {variable}, or use --credentials-file"))
    if missing:
        raise Invalid(missing)
    return parts


def read_file(path: Path) -> dict[str, str]:
    """Return the parts in a file: a JSON object of texts, or lines NAME=value. Raises Refused; no value is repeated."""
    from pilothouse.kit.env_file import values_in

    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refused(f"{path} cannot be read: {why}") from None
    if mode & 0o077:
        raise FileOpenToOthers(f"{path} has mode {mode:04o}, others can read it; run: chmod 600 {path}")
    if not text.lstrip().startswith("{"):
        return {name.lower(): value for name, value in values_in(text)[0].items()}
    try:
        read = json.loads(text)
    except ValueError:
        raise Refused(f"{path} is no JSON object of names and texts") from None
    if not all(isinstance(each, str) for each in read.values()):
        raise Refused(f"{path}: every part of a credential is a text in quotes")
    return dict(read)
