"""The rules by which a claim is judged.

Relative changes, their 95 % intervals and p-values come from a paired test over seeds and test windows
(svqkit.evaluation.significance). A claim is

- "reproduced" if the effect has the claimed sign and is significant (p < 5 %) and, where the claim names a size, that
  size lies in the interval or is exceeded;
- "not reproduced" if the effect is significant in the other direction, or if the interval excludes the claimed size
  (where none is named: an effect of at least 1 %);
- otherwise it "can't be said with this data".

"As good as" means that the whole interval lies within ±2 %, "no worse than" that it lies below +2 %; either is not
reproduced if the whole interval lies beyond. A level, such as a kurtosis, must lie above (or below) its limit with the
whole interval.

A claim about several comparisons needs them all, unless it says otherwise; one that fails refutes it. Their p-values
are corrected by Holm, their intervals are widened as Bonferroni's are. Different claims are judged one by one, without
correction: of forty with nothing behind them, one is expected to look right.

Some numbers can't settle a claim, whatever they are: those of simulated data, for a claim about real data (costs are
not of data); those of fewer than 2 trainings of each kind, because the interval then knows nothing of the chance in
training; and those of another profile than "paper", whose models and trainings are not the published ones. Then the
verdict is "can't be said with this data", with what the numbers alone would say beside it. Missing datasets and runs
are named; without them a claim about all of them is not reproduced if one of those that are there fails, and else
can't be said.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Literal

from scipy import stats

from svqkit.paper.gathered import Results
from svqkit.plots.table import change_text

SIGNIFICANT = 0.05
RELEVANT = 0.01
SAME = 0.02
FEWEST_TRAININGS = 2
SIMULATED = "simulated data"
RULES = inspect.cleandoc(__doc__)


class Answer(StrEnum):
    """What can be said of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    OPEN = "can't be said with this data"


@dataclass(frozen=True)
class Finding:
    """One number that a claim rests on.

    Attributes:
        what: what was measured, of what: ``"2 m temperature: MSE of SVQ against SimVP"``.
        value, low, high: the number and its 95 % interval; NaN where there is no interval.
        p_value: two-sided, of no effect; NaN where it was not tested.
        relative: whether the number is a relative change (0.01 is 1 %) or a number as it is.
        trainings, counted: how many trainings of each kind the interval knows of, and what they differ in.
        windows: test windows; 0 where there are none.
        links: the executed notebooks that made it.
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
        """``"−7.9 % [−9.1, −6.6]"`` or ``"4.32 [3.1, 5.54]"``."""
        if self.relative:
            return change_text(self.value, self.low, self.high)
        interval = f" [{self.low:.4g}, {self.high:.4g}]" if self.low < self.high else ""
        return f"{self.value:.4g}{interval}".replace("-", "−")

    @property
    def basis(self) -> str:
        """``"p = 0.001; 3 seeds, 361 windows"``."""
        p_value = "" if math.isnan(self.p_value) else "p < 0.001" if self.p_value < 1e-3 else f"p = {self.p_value:.3f}"
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
        reason: what it rests on, in a line.
        doubts: why that can't settle the claim.
        findings, missing: what it rests on, and what is not there.
    """

    claim: Claim
    answer: Answer
    alone: Answer
    reason: str
    doubts: tuple[str, ...]
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]


def effects(findings: Sequence[Finding], sign: int, size: float = 0.0) -> list[Finding]:
    """Return findings with the answer to "it changes in the direction of ``sign``, by ``size`` (0: none is named)".

    p-values and intervals are corrected for their number.
    """
    return [replace(finding, answer=_effect(finding, sign, abs(size))) for finding in corrected(findings)]


# As claims.yaml calls what is said to be changed.
lower, higher = partial(effects, sign=-1), partial(effects, sign=1)


def _effect(finding: Finding, sign: int, size: float) -> Answer:
    significant = finding.p_value < SIGNIFICANT
    most = sign * (finding.high if sign > 0 else finding.low)  # the largest effect as claimed that the interval allows
    if significant and sign * finding.value < 0:
        return Answer.NOT_REPRODUCED
    if significant and finding.value != 0 and (not size or most >= size):
        return Answer.REPRODUCED
    return Answer.NOT_REPRODUCED if most < (size or RELEVANT) else Answer.OPEN


def equivalent(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with the answer to "there is no difference"."""
    return [between(finding, -SAME, SAME) for finding in corrected(findings)]


def no_worse(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, changes of an error, with the answer to "it is no larger"."""
    return [between(finding, high=SAME) for finding in corrected(findings)]


def between(finding: Finding, low: float = -math.inf, high: float = math.inf) -> Finding:
    """Return a finding with the answer to "it lies between these limits"; its whole interval must."""
    if finding.low > low and finding.high < high:
        return replace(finding, answer=Answer.REPRODUCED)
    outside = finding.low > high or finding.high < low
    return replace(finding, answer=Answer.NOT_REPRODUCED if outside else Answer.OPEN)


def corrected(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with Holm's p-values and Bonferroni's intervals; one alone stays as it is.

    Each side of an interval is widened by z(1 − 0.025/m) / z(0.975), m being the number of findings and z the
    quantile of the normal distribution.
    """
    if not findings:
        return []
    widening = stats.norm.ppf(1 - SIGNIFICANT / 2 / len(findings)) / stats.norm.ppf(1 - SIGNIFICANT / 2)
    return [
        replace(
            finding,
            p_value=p_value,
            low=finding.value - widening * (finding.value - finding.low),
            high=finding.value + widening * (finding.high - finding.value),
        )
        for finding, p_value in zip(findings, holm([finding.p_value for finding in findings]), strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values as Holm (1979) corrects them; NaN stays NaN and is not counted.

    The i-th smallest of m is multiplied by m − i + 1; none is smaller than one before it, none is above 1.
    """
    order = sorted((p_value, index) for index, p_value in enumerate(p_values) if not math.isnan(p_value))
    result = list(p_values)
    largest = 0.0
    for rank, (p_value, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_value))
        result[index] = largest
    return result


def mean_interval(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Return mean, 95 % t-interval (low, high), and p of a mean of 0; NaN for fewer than two values but the mean."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan, math.nan, math.nan
    if len(set(values)) == 1:
        return mean, mean, mean, float(mean == 0)
    test = stats.ttest_1samp(values, 0)
    return mean, *map(float, test.confidence_interval(1 - SIGNIFICANT)), float(test.pvalue)


def together(answers: Iterable[Answer], holds: str, complete: bool = True) -> Answer:
    """Return the answer to "all hold" or "any holds"; ``complete`` is False when some could not be asked."""
    decisive, otherwise = Answer.NOT_REPRODUCED, Answer.REPRODUCED
    if holds == "any":
        decisive, otherwise = otherwise, decisive
    answers = list(answers)
    if decisive in answers:
        return decisive
    settled = complete and answers and all(answer is otherwise for answer in answers)
    return otherwise if settled else Answer.OPEN


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict on a claim."""
    asked = [finding for finding in evidence.findings if finding.answer is not None]
    alone = together([finding.answer for finding in asked], evidence.holds, not evidence.missing)
    answer = together([finding.firm_answer for finding in asked], evidence.holds, not evidence.missing)
    doubts = tuple(dict.fromkeys(doubt for finding in asked for doubt in finding.doubts))
    reason = " ".join(_reasons(asked, evidence.missing))
    return Verdict(claim, answer, alone, reason, doubts, evidence.findings, evidence.missing)


def _reasons(asked: Sequence[Finding], missing: Sequence[str]) -> Iterable[str]:
    if len(asked) == 1:
        yield f"{asked[0].what}: {asked[0].number}{f' ({asked[0].basis})' * bool(asked[0].basis)}."
    elif asked:
        counts = [(sum(finding.answer is outcome for finding in asked), words) for outcome, words in _OUTCOMES.items()]
        told = ", ".join(f"{count} {words}" for count, words in counts if count)
        yield f"Of {len(asked)} numbers: {told}."
    if missing:
        yield f"Missing: {'; '.join(name.rstrip('.') for name in missing)}."


_OUTCOMES = {
    Answer.REPRODUCED: "as claimed",
    Answer.NOT_REPRODUCED: "against the claim",
    Answer.OPEN: "undecided",
}
