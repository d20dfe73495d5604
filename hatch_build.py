"""README.md as the package index shows it: links that are relative here lead to the repository there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ReadmeHook(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        files = f"{metadata['urls']['Homepage']}/blob/main/"
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        absolute = re.sub(r"(\]\()(?!https?:|#)", rf"\g<1>{files}", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute}
