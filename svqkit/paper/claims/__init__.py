"""The claims of the SVQ paper, judged by what was measured; the rules are those of :mod:`svqkit.paper.claims.rules`."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pandas as pd

from svqkit.errors import SvqkitError
from svqkit.paper.claims import evidence
from svqkit.paper.claims.rules import RULES as RULES
from svqkit.paper.claims.rules import Answer as Answer
from svqkit.paper.claims.rules import Claim, Evidence, Verdict, judge
from svqkit.paper.gathered import Results
from svqkit.userfiles import read_yaml

does_svq_help = evidence.does_svq_help
CLAIMS = {
    key: Claim(
        key,
        tree["sentence"],
        tree["where"],
        tree["test"],
        partial(getattr(evidence, tree["evidence"]), **tree.get("given", {})),
    )
    for key, tree in read_yaml(Path(__file__).with_name("claims.yaml")).items()
}


def judge_all(results: Results) -> list[Verdict]:
    """Return the verdict on every claim, in the order of ``CLAIMS``; what a claim lacks stands in its verdict."""
    return [judge(claim, _evidence(claim, results)) for claim in CLAIMS.values()]


def _evidence(claim: Claim, results: Results) -> Evidence:
    try:
        return claim.check(results)
    except SvqkitError as error:
        return Evidence(missing=(str(error),))


def as_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Return verdicts as a table for reading: claim, verdict, what the numbers alone would say, why."""
    columns = ["claim", "verdict", "numbers alone", "evidence", "what keeps it from settling the claim"]
    rows = [
        (one.claim.sentence, str(one.answer), str(one.alone), one.reason, ", ".join(one.doubts)) for one in verdicts
    ]
    return pd.DataFrame(rows, columns=columns).set_index("claim")
