"""The step factor: the learning rate of a codebook and of the matrix before it, and of nothing else, is multiplied."""

from pathlib import Path

import pytest
import torch

from svqkit import models
from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, load_params, override
from svqkit.training import loop

ROOT = Path(__file__).resolve().parents[1]
SHAPE, RATE = (1, 8, 8), 1e-3
SLOWED = {
    "svq": {"codebook", "weights.weight", "weights.bias"},
    "softmax": {"codebook", "weights.weight", "weights.bias"},
    "lista": {"codebook", "encoder"},
}


def experiment(quantizer: str, factor: float | str = 1.0, **settings: object) -> Experiment:
    usual = load_params(ROOT / "params.yaml", "sample").experiment("weather_t2m-svq")
    changes = {
        "quantizer": {"name": quantizer, **settings},
        "training": {"quantizer_learning_rate": factor, "loss": "mse"},
    }
    return override(usual, changes | {"model": {"hid_S": 4, "hid_T": 8}})


def first_steps(chosen: Experiment) -> dict[str, torch.Tensor]:
    """By how many learning rates each parameter moves in Adam's first step, whole where a gradient is."""
    torch.manual_seed(0)
    model = models.build(chosen, SHAPE)
    objective, optimizer = loop.prepare_model(model, chosen.training, "cpu")
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    sum(objective(torch.randn(2, 12, *SHAPE), torch.randn(2, 12, *SHAPE))).backward()
    for group in optimizer.param_groups:
        group["lr"] = group["factor"] * RATE
    optimizer.step()
    return {name: (weight.detach() - before[name]).abs().max() / RATE for name, weight in model.named_parameters()}


@pytest.mark.parametrize("quantizer", SLOWED)
@pytest.mark.parametrize(("factor", "expected"), [(0.25, 0.25), ("auto", 1 / 50)])
def test_codebook_and_matrix_move_by_the_factor(quantizer: str, factor: float | str, expected: float) -> None:
    moved = first_steps(experiment(quantizer, factor, codebook_size=50))
    slowed = {f"quantizer.{name}" for name in SLOWED[quantizer]}
    assert slowed <= moved.keys()
    for name, steps in moved.items():
        assert steps == pytest.approx(expected if name in slowed else 1.0, rel=2e-2), name


def test_the_folded_matrix_moves_by_k_steps_and_slowed_by_one() -> None:
    """(C + dC)ᵀ(W + dW) − CᵀW: every entry is a sum over K codes, each of which moves by a learning rate."""
    moved = {}
    for codes in (100, 1000):
        for factor in (1.0, "auto"):
            chosen = experiment("svq", factor, codebook_size=codes, hidden_dim=8, init="uniform-random")
            torch.manual_seed(0)
            model = models.build(chosen, SHAPE)
            objective, optimizer = loop.prepare_model(model, chosen.training, "cpu")
            before = model.quantizer.folded()[0].detach().clone()
            sum(objective(torch.randn(2, 12, *SHAPE), torch.randn(2, 12, *SHAPE))).backward()
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * RATE
            optimizer.step()
            moved[codes, factor] = (model.quantizer.folded()[0] - before).abs().mean().item() / RATE
    assert moved[1000, 1.0] / moved[100, 1.0] == pytest.approx(10, rel=0.25)
    assert moved[1000, "auto"] / moved[100, "auto"] == pytest.approx(1, rel=0.25)


def test_a_frozen_codebook_is_left_to_its_matrix() -> None:
    moved = first_steps(experiment("svq", 0.25, codebook_size=50, learnable=False))
    assert moved["quantizer.codebook"] == 0
    assert moved["quantizer.weights.weight"] == pytest.approx(0.25, rel=2e-2)


@pytest.mark.parametrize(
    ("quantizer", "settings"),
    [("none", {}), ("mlp", {}), ("vq", {}), ("svq", {"learnable": False, "learnable_projection": False})],
)
def test_a_factor_of_nothing_is_refused(quantizer: str, settings: dict) -> None:
    chosen = experiment(quantizer, "auto", **settings)
    with pytest.raises(SvqkitError, match="quantizer_learning_rate"):
        loop.prepare_model(models.build(chosen, SHAPE), chosen.training, "cpu")


@pytest.mark.parametrize("factor", [0, -0.1, "automatic", True])
def test_other_factors_are_refused(factor: object) -> None:
    with pytest.raises(SvqkitError, match="quantizer_learning_rate"):
        experiment("svq", factor)
