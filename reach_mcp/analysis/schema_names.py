"""Names of schemas: people say the name, the API's identity is the definition id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

NamePair: TypeAlias = tuple[str, str | None]
"""(definition id, name or None)."""


class SchemaNames:
    """Definition ids and names, both ways. One name (in any case) can stand for several definitions."""

    def __init__(self, pairs: Iterable[NamePair]) -> None:
        names: dict[str, set[str]] = {}
        for schema_id, name in pairs:
            names.setdefault(schema_id, set()).update({name} if name else ())
        self._names = {schema_id: sorted(names[schema_id]) for schema_id in sorted(names)}
        self._definitions: dict[str, list[str]] = {}
        for schema_id, known in self._names.items():
            for label in {name.casefold() for name in (schema_id, *known)}:
                self._definitions.setdefault(label, []).append(schema_id)

    @property
    def schema_ids(self) -> list[str]:
        """All definition ids that were read, sorted."""
        return list(self._names)

    def names(self, schema_id: str) -> list[str]:
        """All names of one definition, sorted; empty where none is known."""
        return self._names.get(schema_id, [])

    def definitions(self, label: str) -> list[str]:
        """Definition ids that a definition id or a name in any case stands for, sorted."""
        return [label] if label in self._names else self._definitions.get(label.casefold(), [])

    def display(self, schema_id: str) -> str:
        """The name, or the definition id where no name is known or where its name stands for several definitions."""
        for name in self.names(schema_id):
            if self._definitions[name.casefold()] == [schema_id]:
                return name
        return schema_id
