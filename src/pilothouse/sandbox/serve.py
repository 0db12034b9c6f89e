"""What a confined process can be asked. An order goes in; an answer, or what went wrong in words, comes out."""

from pathlib import Path
from types import ModuleType
from typing import Any

from pilothouse.sandbox.frames import Frame
from pilothouse.sandbox.load import FileBroken, import_file


class Server:
    """Answers one order after the other; nothing that a strategy does makes it raise."""

    def __init__(self, folders: list[Path]) -> None:
        """Serve what lies in `folders`."""
        self._folders = folders
        self._modules: dict[Path, ModuleType] = {}

    def answer(self, order: Frame) -> Frame:
        """Return what an order led to."""
        try:
            return Frame(self._import(Path(order.data["file"])))
        except FileBroken as broken:
            return Frame({"broken": {"file": str(broken.path), "line": broken.line, "reason": broken.reason}})

    def _import(self, path: Path) -> dict[str, Any]:
        self._modules[path] = import_file(path)
        return {"imported": path.stem}
