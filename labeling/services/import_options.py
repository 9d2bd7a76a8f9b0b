"""What the owner of a file asks of its import."""

from dataclasses import dataclass, field
from typing import Any

from labeling.formats import reading
from labeling.services.bodies import Body
from labeling.services.cleaning import Steps


@dataclass(frozen=True, kw_only=True)
class Options:
    format: str = ""  # empty: told from the content
    mapping: dict[str, str] = field(default_factory=dict)  # the file's field -> the format's field
    open_demonstrations: bool = False  # a task for each bare prompt
    open_rankings: bool = False  # a task for each prompt with two or more responses that nobody has ranked
    evaluation_set: str = ""  # its name: prompts become its own, and neither work nor training
    cleaning: Steps = field(default_factory=Steps)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "mapping": self.mapping,
            "open_demonstrations": self.open_demonstrations,
            "open_rankings": self.open_rankings,
            "evaluation_set": self.evaluation_set,
            "cleaning": self.cleaning.to_plain(),
        }

    @classmethod
    def from_plain(cls, plain: Any) -> "Options":
        """Raises `Invalid` for what is no option."""
        body = Body(plain)
        format, mapping = body.text("format", most=40), body.mapping("mapping")
        if format and format not in reading.FORMATS:
            body.problem("format", f"must be one of {', '.join(reading.FORMATS)}", code="unknown_format")
        if not all(isinstance(one, str) and len(one) <= 200 for pair in mapping.items() for one in pair):
            body.problem("mapping", "must map names of fields to names of fields", code="wrong_type")
        options = cls(
            format=format,
            mapping=mapping,
            open_demonstrations=body.truth("open_demonstrations"),
            open_rankings=body.truth("open_rankings"),
            evaluation_set=body.text("evaluation_set", most=60),
            cleaning=Steps.from_plain(body.mapping("cleaning")),
        )
        body.finish()
        return options
