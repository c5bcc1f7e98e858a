"""The model card: what a run's README.md says to whoever is given its folder."""

from pathlib import Path

from jinja2 import StrictUndefined, Template

from svqkit.training.paths import scores_path
from svqkit.training.runs import CARD, Run
from svqkit.userfiles import escape_markdown


def write_card(folder: Path) -> None:
    """Write the card of a run that is not scored yet into its folder."""
    run = Run.open(folder)
    known_later = f"""They are not known when a training ends: evaluating puts them into
`{scores_path(run.experiment.profile, run.experiment.dataset)}`. A copy of the run by `save_pretrained` has them in
its card, with their spread over seeds."""
    (folder / CARD).write_text(model_card(run, known_later), encoding="utf-8")


def model_card(run: Run, scores: str) -> str:
    """Describe a run in Markdown: data, training, ``scores`` as they are given, licence, limits.

    Raises:
        SvqkitError: the run keeps too little of its data (an older one).
    """
    domain, log = run.domain, run.log()
    named = zip(domain.channels, domain.own_units or [""] * len(domain.channels), strict=True)
    text = Path(__file__).with_name("card.md.j2").read_text(encoding="utf-8")
    return Template(text, undefined=StrictUndefined, keep_trailing_newline=True).render(
        run=run,
        experiment=run.experiment,
        domain=domain,
        channels=", ".join(f"{name} [{unit}]" if unit else name for name, unit in named),
        epochs=len(log),
        best=log.loc[log["validation_loss"][::-1].idxmin()] if len(log) else None,
        scores=scores,
        text=escape_markdown,
    )
