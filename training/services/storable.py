"""What a run reports, as both databases can store it. What a person sends is refused instead."""

from typing import Any

from labeling.services.text import storable


def storable_json(value: Any) -> Any:
    """The value with each text, keys included, made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(key): storable_json(one) for key, one in value.items()}
    return [storable_json(one) for one in value] if isinstance(value, list) else value
