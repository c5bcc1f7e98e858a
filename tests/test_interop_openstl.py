"""Checkpoints of the reference: the same names, the same numbers, and one error for all that doesn't fit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from openstlcases import CASES, GOLDEN, SVQ, TRANSLATORS, frames_of, precision, summary, weights_of
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.interop.config import architecture
from svqkit.interop.openstl import build, load
from svqkit.interop.weights import entries, renamed
from svqkit.settings.params import TRANSLATORS as OURS

CONSTANTS = ("attn_mask", "relative_position_index", ".mask")


def complaint(config: dict[str, Any], weights: dict[str, Any]) -> list[str]:
    """The lines of the error that ``load`` raises."""
    with pytest.raises(SvqkitError) as caught:
        load(config, weights)
    return [line.strip() for line in str(caught.value).splitlines()]


def test_there_is_a_case_for_every_translator_and_quantizer_of_the_reference() -> None:
    models = [architecture(CASES[case]) for case in CASES]
    assert {model.model.translator for model in models} == set(OURS)
    assert len({type(model.quantizer) for model in models}) == 9


@pytest.mark.parametrize("case", CASES)
def test_the_names_are_exactly_the_references_and_so_are_the_sizes(case: str) -> None:
    wanted = architecture(CASES[case])
    model = build(wanted, weights_of(case))
    state = model.state_dict()
    found = {theirs: longer_than_1(state[ours].shape) for theirs, ours in entries(model, wanted).items()}
    shapes = {name: shape for name, shape in GOLDEN[case]["shapes"].items() if not name.endswith(CONSTANTS)}
    assert found == {name: longer_than_1(shape) for name, shape in shapes.items()}


def longer_than_1(shape: Sequence[int]) -> list[int]:
    """Without the axes by which the reference writes some shapes otherwise."""
    return [length for length in shape if length != 1]


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


def at_random(*prefixes: str) -> Callable[[str, int], str]:
    """Another of these prefixes before each name."""
    return lambda name, number: prefixes[number % len(prefixes)] + name


@pytest.mark.parametrize("case", ["gsta", "rvq with one codebook"])
@pytest.mark.parametrize(
    "change",
    [
        at_random("", "module.", "model.", "_orig_mod.", "model._orig_mod.", "_orig_mod.module.model."),
        at_random("model.module._orig_mod.", "module.model.module.model.", "net."),
        at_random("_fsdp_wrapped_module.model.", "_forward_module._orig_mod."),
        lambda name, _: f"trainer.simvp.{name}",
        lambda name, _: name.replace(".", "._orig_mod.", 1),
        lambda name, _: name.replace(".", "._checkpoint_wrapped_module.module."),
    ],
)
def test_names_may_have_the_prefixes_of_a_training(case: str, change: Callable[[str, int], str]) -> None:
    frames, weights = frames_of(case).float(), weights_of(case)
    some = {change(name, number): one for number, (name, one) in enumerate(weights.items())}
    assert torch.equal(load(CASES[case], some)(frames), load(CASES[case], weights)(frames))


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {name: one for name, one in weights.items() if one.is_floating_point()},  # no counters
        lambda weights: {name: nn.Parameter(one) if one.is_floating_point() else one for name, one in weights.items()},
        lambda weights: {name: one[None] if one.ndim == 1 else one for name, one in weights.items()},
        lambda weights: dict(reversed(weights.items())),
        lambda weights: weights | {"hid.enc.0.block.total_ops": torch.zeros(1), "enc.total_params": torch.zeros(1)},
    ],
)
def test_what_changes_nothing_may_be_otherwise(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    weights, frames = weights_of("gsta"), frames_of("gsta").float()
    assert torch.equal(load(CASES["gsta"], change(weights))(frames), load(CASES["gsta"], weights)(frames))


def test_what_is_no_part_of_the_model_is_ignored_with_a_note() -> None:
    beside = {"criterion.weight": torch.ones(2), "lpips.net.lin0.weight": torch.ones(3), "epoch": 3}
    with pytest.warns(UserWarning, match=r"no part of the model are ignored: those of criterion, epoch, lpips"):
        load(CASES["gsta"], weights_of("gsta") | beside)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
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
        "surplus: hid.enc.3.block.norm1.weight",
        "no dense tensor: dec.readout.bias, expected (2,), got 'list'",
        "type of dec.readout.weight: expected a float type, got torch.int64",
        "not finite: hid.enc.0.block.layer_scale_1, 2 of 24 values",
        "twice, with and without a prefix: enc.enc.0.conv.norm.bias",
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.to_sparse(),
        lambda one: one.to("meta"),
        lambda one: one.numpy(),
        lambda one: one + 1j,
        lambda one: one.int(),
        lambda one: one[:1],
        lambda one: one / 0,
        lambda one: None,
        lambda one: {"weight": one},
    ],
)
def test_an_entry_that_is_no_weight_is_named(change: Callable[[Tensor], Any]) -> None:
    weights = weights_of("gsta")
    lines = complaint(CASES["gsta"], weights | {"dec.readout.bias": change(weights["dec.readout.bias"])})
    assert (len(lines), "dec.readout.bias" in lines[1]) == (2, True)


def test_a_turned_weight_is_of_another_shape() -> None:
    weights = weights_of("gsta")
    name, turned = next((name, one) for name, one in weights.items() if one.ndim == 4 and one.shape[0] != one.shape[1])
    lines = complaint(CASES["gsta"], weights | {name: turned.transpose(0, 1)})
    assert (len(lines), name in lines[1]) == (2, True)


def test_what_float32_cannot_hold_is_not_finite() -> None:
    weights = {name: one.double() if one.is_floating_point() else one for name, one in weights_of("gsta").items()}
    weights["dec.readout.bias"][1] = 1e300
    assert complaint(CASES["gsta"], weights)[1:] == ["not finite: dec.readout.bias, 1 of 2 values"]


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


def test_swins_and_lfqs_constants_may_be_there() -> None:
    """Nothing is computed with them: no more than the shapes of the weights depends on windows and bits."""
    for case, constants in (("swin", swin_constants()), ("lfq", {"vq.vq.mask": torch.tensor([16, 8, 4, 2, 1])})):
        frames, weights = frames_of(case).float(), weights_of(case)
        assert torch.equal(load(CASES[case], weights | constants)(frames), load(CASES[case], weights)(frames))


def test_steps_that_share_a_codebook_must_agree() -> None:
    weights = weights_of("grvq with one codebook")
    name = "vq.vq.rvqs.1.layers.2._codebook.embed"
    weights[name] = weights[name] + 1
    lines = complaint(CASES["grvq with one codebook"], weights)
    assert len(lines) == 2
    assert name in lines[1]
    assert "shares a codebook" in lines[1]


@pytest.mark.parametrize("codebook", [True, False])
@pytest.mark.parametrize("projection", [True, False])
def test_what_is_frozen_there_is_frozen_here(codebook: bool, projection: bool) -> None:
    config = {**CASES["svq"], "vq_kwargs": {**SVQ, "freeze_codebook": codebook}, "freeze_projection": projection}
    model = load(config, weights_of("svq"))
    frozen = {name for name, one in model.named_parameters() if not one.requires_grad}
    layers = {f"model.quantizer.{layer}.{part}" for layer in ("hidden", "weights") for part in ("weight", "bias")}
    assert frozen == ({"model.quantizer.codebook"} if codebook else set()) | (layers if projection else set())


def test_noise_is_added_while_training_only() -> None:
    frames = frames_of("convmixer").float()
    quiet = load(CASES["convmixer"], weights_of("convmixer"))
    noisy = load({**CASES["convmixer"], "noise": 0.3}, weights_of("convmixer"))
    assert torch.equal(noisy(frames), quiet(frames))
    seen: list[Tensor] = []
    noisy.model.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    noisy.train()(frames)
    assert 0.25 * frames.numel() < int((seen[0] != frames[0]).sum()) <= 0.3 * frames.numel()


@pytest.mark.parametrize("name", TRANSLATORS)
def test_no_two_parts_have_one_name_there(name: str) -> None:
    wanted = architecture(CASES[name])
    ours = build(wanted, weights_of(name)).state_dict()
    assert len({renamed(one, wanted.model.translator, wanted.quantizer) for one in ours}) == len(ours)
