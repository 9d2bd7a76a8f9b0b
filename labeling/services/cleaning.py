"""Cleaning of what is imported: each step is a switch, and counts what it finds, in a dry run too."""

from dataclasses import dataclass
from typing import Any

from labeling.models.projects import Project
from labeling.services.bodies import Body
from labeling.services.preparing import Prepared

PII = ("", "mark", "mask", "refuse")


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Which steps are on; none is, unless asked for."""

    near_duplicates: bool = False
    languages: tuple[str, ...] = ()  # ISO 639-1; empty: all
    least_characters: int = 0
    most_characters: int = 0  # 0: no limit
    quality: bool = False
    pii: str = ""  # "", mark, mask or refuse
    toxicity: bool = False

    def to_plain(self) -> dict[str, Any]:
        return {**vars(self), "languages": list(self.languages)}

    @classmethod
    def from_plain(cls, plain: Any) -> "Steps":
        body = Body(plain)
        pii = body.text("pii", most=10)
        if pii not in PII:
            body.problem("pii", f"must be one of {', '.join(PII[1:])}, or empty")
        languages = body.texts("languages")
        steps = cls(
            near_duplicates=body.truth("near_duplicates"),
            languages=tuple(languages),
            least_characters=body.whole("least_characters", least=0) or 0,
            most_characters=body.whole("most_characters", least=0) or 0,
            quality=body.truth("quality"),
            pii=pii,
            toxicity=body.truth("toxicity"),
        )
        body.finish()
        return steps


class Cleaner:
    def __init__(self, *, project: Project, steps: Steps) -> None:
        self.project, self.steps = project, steps

    def sift(self, batch: list[Prepared], report: Any) -> list[Prepared]:  # noqa: ARG002
        return batch

    def remember(self, batch: list[Prepared]) -> None:
        pass

    def forget(self) -> None:
        pass
