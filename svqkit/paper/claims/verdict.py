"""What is claimed, what was found, and what follows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from svqkit.paper.results import Results


class Answer(StrEnum):
    """What can be said of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    OPEN = "can't be said with this data"


@dataclass(frozen=True)
class Finding:
    """One number that a claim rests on.

    Attributes:
        what: what was measured, of what: ``"weather_t2m: MSE of SVQ against SimVP"``.
        value, low, high: the number and its 95 % interval; NaN where there is no interval.
        p_value: two-sided, of no effect; NaN where it was not tested.
        relative: whether the number is a relative change (0.01 is 1 %) or a number as it is.
        trainings, counted: how many trainings of each kind the interval knows of, and what they differ in.
        windows: test windows; 0 where there are none.
        links: folders of the runs, from the project's folder.
        doubts: why the number can't settle a claim of the paper, whatever it is.
        answer: what the number alone says of the claim; None: shown for information.
    """

    what: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    p_value: float = float("nan")
    relative: bool = True
    trainings: int = 0
    counted: Literal["seed", "model"] = "seed"
    windows: int = 0
    links: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    answer: Answer | None = None

    @property
    def firm_answer(self) -> Answer | None:
        """The answer that is left when doubts are heard."""
        return Answer.OPEN if self.answer is not None and self.doubts else self.answer

    @property
    def number(self) -> str:
        """``"−7.90 % [−9.12, −6.63]"`` or ``"4.32 [3.1, 5.54]"``."""
        factor, form, unit = (100, "+.2f", " %") if self.relative else (1, ".4g", "")
        text = f"{self.value * factor:{form}}{unit}"
        if self.low < self.high:
            text += f" [{self.low * factor:{form}}, {self.high * factor:{form}}]"
        return text.replace("-", "−")

    @property
    def basis(self) -> str:
        """``"p = 0.001; 3 seeds, 361 windows"``."""
        p_value = "" if math.isnan(self.p_value) else "p < 0.0001" if self.p_value < 1e-4 else f"p = {self.p_value:.2g}"
        counts = ((self.trainings, self.counted), (self.windows, "window"))
        counted = ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts if count)
        return "; ".join(part for part in (p_value, counted) if part)


@dataclass(frozen=True)
class Evidence:
    """All numbers that a claim rests on.

    Attributes:
        findings: with the answer of each.
        missing: what is not there, in words.
        holds: whether the claim needs all of the numbers or any of them.
    """

    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    holds: Literal["all", "any"] = "all"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        key: a short name.
        sentence: the claim in our words.
        where: where it stands in the paper.
        test: how it is judged here.
        check: the numbers, from what was measured.
    """

    key: str
    sentence: str
    where: str
    test: str
    check: Callable[[Results], Evidence] = field(repr=False)


@dataclass(frozen=True)
class Verdict:
    """What was made of a claim.

    Attributes:
        answer: what can be said.
        alone: what the numbers alone would say; another answer only where there are doubts of them.
        aside: that in words, if it is another answer.
        reason: in one or two sentences.
        findings, missing: what it rests on, and what is not there.
    """

    claim: Claim
    answer: Answer
    alone: Answer
    aside: str
    reason: str
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]
