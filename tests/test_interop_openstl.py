"""Checkpoints of the reference: the same names, the same numbers, and one error for all that doesn't fit."""

from typing import Any

import pytest
import torch
from openstlcases import CASES, GOLDEN, SMALL, frames_of, precision, summary, weights_of
from torch import Tensor

from svqkit.errors import SvqkitError
from svqkit.interop.names import BLOCKS, pairs, renamed
from svqkit.interop.openstl import build, load
from svqkit.interop.settings import architecture
from svqkit.interop.weights import entries
from svqkit.settings.params import TRANSLATORS as OURS

CONSTANTS = ("attn_mask", "relative_position_index", ".mask")


def complaint(config: dict[str, Any], weights: dict[str, Any]) -> list[str]:
    """The lines of the error that ``load`` raises."""
    with pytest.raises(SvqkitError) as caught:
        load(config, weights)
    return [line.strip() for line in str(caught.value).splitlines()]


def test_there_is_a_case_for_every_translator_and_quantizer_of_the_reference() -> None:
    models = [architecture(CASES[case]) for case in CASES]
    assert {model.model.translator for model in models} == set(OURS) == set(BLOCKS) | {"incepu"}
    assert len({type(model.quantizer) for model in models}) == 9


@pytest.mark.parametrize("case", CASES)
def test_the_names_and_shapes_are_exactly_the_references(case: str) -> None:
    wanted = architecture(CASES[case])
    model = build(wanted, weights_of(case))
    found = {name: list(entry.shape) for name, entry in entries(model, wanted).items()}
    assert found == {name: shape for name, shape in GOLDEN[case]["shapes"].items() if not name.endswith(CONSTANTS)}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_the_references(case: str) -> None:
    frames = frames_of(case).to(precision(case)).requires_grad_()
    model = load(CASES[case], weights_of(case)).to(precision(case))
    forecast = model(frames)
    assert forecast.shape == frames.shape
    assert not any(part.training for part in model.modules())
    (gradient,) = torch.autograd.grad(forecast.square().sum(), frames)
    tolerance = 1e-8 if precision(case) == torch.float64 else 1e-4
    assert summary(forecast, gradient) == pytest.approx(GOLDEN[case]["expected"], rel=tolerance)


@pytest.mark.parametrize("case", ["gsta", "swin", "svq", "rvq with one codebook"])
def test_names_may_have_the_prefix_of_a_parallel_training(case: str) -> None:
    frames, weights = frames_of(case).float(), weights_of(case)
    some = {name if number % 2 else f"module.{name}": one for number, (name, one) in enumerate(weights.items())}
    assert torch.equal(load(CASES[case], some)(frames), load(CASES[case], weights)(frames))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_any_float_type_become_float32(dtype: torch.dtype) -> None:
    weights = {name: one.to(dtype) if one.is_floating_point() else one for name, one in weights_of("tau").items()}
    model = load(CASES["tau"], weights)
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    same = load(CASES["tau"], {name: one.float() for name, one in weights.items()})
    assert torch.equal(model(frames_of("tau").float()), same(frames_of("tau").float()))


def test_the_weights_that_were_given_are_not_shared() -> None:
    weights = weights_of("gsta")
    model = load(CASES["gsta"], weights)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(1)
    assert all(
        torch.equal(one, other) for one, other in zip(weights.values(), weights_of("gsta").values(), strict=True)
    )


def test_everything_that_does_not_fit_is_listed_at_once() -> None:
    weights: dict[str, Any] = weights_of("svq")
    del weights["vq.vq.codebook"]
    weights["enc.enc.1.conv.conv.bias"] = torch.zeros(9)
    weights["hid.enc.3.block.norm1.weight"] = torch.zeros(2, 3)
    weights["dec.readout.bias"] = [0.0, 0.0]
    weights["dec.readout.weight"] = torch.zeros(2, 8, 1, 1, dtype=torch.int64)
    weights["hid.enc.0.block.layer_scale_1"] = torch.tensor([float("nan"), float("inf")] + [1.0] * 22)
    weights["module.enc.enc.0.conv.norm.bias"] = weights["enc.enc.0.conv.norm.bias"]
    lines = complaint(CASES["svq"], weights)
    assert "7 problem(s)" in lines[0]
    assert set(lines[1:]) == {
        "missing: vq.vq.codebook (30, 8)",
        "shape of enc.enc.1.conv.conv.bias: expected (8,), got (9,)",
        "surplus: hid.enc.3.block.norm1.weight (2, 3)",
        "no tensor: dec.readout.bias, expected (2,), got 'list'",
        "type of dec.readout.weight: expected a float type, got torch.int64",
        "not finite: hid.enc.0.block.layer_scale_1, 2 of 24 values",
        "twice, with and without 'module.': enc.enc.0.conv.norm.bias",
    }


def test_what_float32_cannot_hold_is_not_finite() -> None:
    weights = {name: one.double() if one.is_floating_point() else one for name, one in weights_of("gsta").items()}
    weights["dec.readout.bias"][1] = 1e300
    assert complaint(CASES["gsta"], weights)[1:] == ["not finite: dec.readout.bias, 1 of 2 values"]


def test_shapes_are_told_as_the_reference_has_them() -> None:
    weights = weights_of("moga")
    weights["hid.enc.0.block.layer_scale_1"] = torch.ones(24)
    assert complaint(CASES["moga"], weights)[1:] == [
        "shape of hid.enc.0.block.layer_scale_1: expected (1, 24, 1, 1), got (24,)"
    ]


def swin_constants() -> dict[str, Tensor]:
    """What timm 0.6.11 saves besides weights, for windows of 4 × 4: which entry of the table two places look up."""
    row, column = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    place = torch.stack([row.flatten(), column.flatten()])
    apart = place[:, :, None] - place[:, None, :] + 3
    index = apart[0] * 7 + apart[1]
    return {
        "hid.enc.0.block.attn.relative_position_index": index,
        "hid.enc.1.block.attn.relative_position_index": index,
        "hid.enc.1.block.attn_mask": torch.full((6, 16, 16), -100.0),
    }


def test_swins_constants_may_be_there_but_not_be_others() -> None:
    weights, constants = weights_of("swin"), swin_constants()
    frames = frames_of("swin").float()
    assert torch.equal(load(CASES["swin"], weights | constants)(frames), load(CASES["swin"], weights)(frames))
    name = "hid.enc.1.block.attn.relative_position_index"
    assert name in complaint(CASES["swin"], weights | constants | {name: constants[name].flip(0)})[1]
    assert name in complaint(CASES["swin"], weights | {name: torch.zeros(49, 49)})[1]
    assert name in complaint(CASES["swin"], weights | {name: "index"})[1]
    assert complaint(CASES["vit"], weights_of("vit") | constants)[1].startswith("surplus: hid.enc.0")


def test_lfqs_bits_may_be_there_but_not_be_others() -> None:
    weights = weights_of("lfq")
    load(CASES["lfq"], weights | {"vq.vq.mask": torch.tensor([16, 8, 4, 2, 1])})
    assert "vq.vq.mask" in complaint(CASES["lfq"], weights | {"vq.vq.mask": torch.tensor([1, 2, 4, 8, 16])})[1]


def test_steps_that_share_a_codebook_must_agree() -> None:
    weights = weights_of("grvq with one codebook")
    name = "vq.vq.rvqs.1.layers.2._codebook.embed"
    weights[name] = weights[name] + 1
    lines = complaint(CASES["grvq with one codebook"], weights)
    assert len(lines) == 2
    assert name in lines[1]
    assert "vq.vq.rvqs.1.layers.0._codebook.embed" in lines[1]


def test_a_part_that_the_table_lacks_is_an_error() -> None:
    wanted = architecture(SMALL)
    with pytest.raises(KeyError, match=r"encoder\.2\.conv\.weight"):
        renamed("encoder.2.conv.weight", pairs(wanted.model, wanted.quantizer))
