"""Words that are wanted as words are taken as they were typed; what has to be read goes through typer's own reading.

Typer builds a checker of Pydantic for every option of a command, typed or not: a tenth of a second of each command's
start, most of it for options that nobody gave. Here it is built for those alone whose value is not what is wanted yet.
"""

from typing import Any, get_args, get_origin

from typer import _coercion, core


def read_only_what_must_be_read() -> None:
    """Let the options of all commands be taken so."""
    parameter: Any = core._TyperParameter  # noqa: SLF001 - typer offers no other place
    parameter.get_runtime_param = _reading


class _AsTyped:
    """Takes what fits already; everything else, and every complaint, is typer's."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of an option as the command wants it; raises what typer raises."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        descriptor = self._parameter.type_descriptor
        own = type(value) is descriptor.annotation and value == self._parameter.default
        if own or (descriptor.parameter_info.parser is None and fits(value, descriptor.annotation, several=several)):
            return list(value) if several else value
        return _coercion.build_runtime_param(descriptor).coerce(value, param=param, ctx=ctx)


def fits(value: Any, wanted: Any, *, several: bool) -> bool:
    """Say whether a value is text where text is wanted, or several where several are."""
    if several:
        inside = get_args(wanted) if get_origin(wanted) is list else ()
        return inside == (str,) and isinstance(value, tuple | list) and all(isinstance(each, str) for each in value)
    return wanted is str and isinstance(value, str)


def _reading(parameter: Any) -> Any:
    if parameter._runtime_param is None:  # noqa: SLF001 - as typer itself does
        parameter._runtime_param = _AsTyped(parameter)  # noqa: SLF001 - as above
    return parameter._runtime_param  # noqa: SLF001 - as above
