"""YAML as data in which no key repeats: of two, the second would silently replace the first."""

from __future__ import annotations

from typing import Any

import yaml


class UniqueKeys(yaml.SafeLoader):
    """Refuses a mapping that has a key twice."""

    # When the text is read, since a merged mapping (`<<`) may say a key of its own again.
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Return a mapping's node, or raise `YAMLError` naming the repeated key and its line."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if (key.tag, key.value) in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"key {key.value!r} is given twice, again in line {line}")
            seen.add((key.tag, key.value))
        return node
