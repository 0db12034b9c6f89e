"""What is so now and should not be: the value that whoever looks hands to whoever tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, str | None, str]
"""(code, account id, about) by which a condition is known again."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so now and should not be. The same code, account and `about` is the same condition."""

    code: str
    about: str
    account_id: str | None
    owner_id: str
    message: str
    detail: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return by what it is known again."""
        return self.code, self.account_id, self.about
