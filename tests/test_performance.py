"""What makes a step fast does not change what it computes."""

import copy
import ctypes
from collections.abc import Iterator
from functools import partial
from itertools import product

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, multiprocessing, nn

from svqkit import models
from svqkit.devices import convolutions, performance
from svqkit.devices.convolutions import DilatedConv2d, PointwiseConv2d
from svqkit.devices.performance import compiled, rehearse, to_channels_last
from svqkit.models.simvp import stacked, unstacked
from svqkit.settings.params import Experiment, load_params, override
from svqkit.training import loop

SHAPE = (2, 16, 24)
SMALL = {"model": {"hid_S": 8, "hid_T": 16, "N_T": 3, "mlp_ratio": 2.0, "drop_path": 0.1}}


def experiment(quantizer: str = "svq", translator: str = "gsta", **training: object) -> Experiment:
    chosen = load_params("params.yaml", "sample").experiment(f"weather_t2m-{quantizer}")
    return override(chosen, {**SMALL, "model": {**SMALL["model"], "translator": translator}, "training": training})


def batch(chosen: Experiment) -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    return tuple(torch.randn(4, frames, *SHAPE) for frames in (chosen.data.frames_in, chosen.data.frames_out))


def steps(objective: nn.Module, optimizer: torch.optim.Optimizer, frames: tuple[Tensor, Tensor]) -> list[float]:
    """The losses of six steps."""
    torch.manual_seed(9)
    objective.train()
    found = []
    for _ in range(6):
        loss = sum(objective(*frames))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


@pytest.mark.parametrize(
    ("quantizer", "longitude", "translator"),
    [
        ("none", "zeros", "gsta"),
        *product(["svq"], ["zeros", "wrap"], ["gsta", "van", "tau", "moganet", "convnext", "swin", "incepu"]),
    ],
)
def test_fast_steps_are_the_plain_models(
    quantizer: str, longitude: str, translator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against contiguous frames and weights, torch's own dilated convolution, and Adam as it comes."""
    chosen = override(experiment(quantizer, translator), {"model": {"longitude": longitude}})
    torch.manual_seed(0)
    model = models.build(chosen, SHAPE)
    plain = copy.deepcopy(model)
    fast = steps(*loop.prepare_model(model, chosen.training, "cpu"), batch(chosen))
    monkeypatch.setattr(DilatedConv2d, "forward", nn.Conv2d.forward)
    monkeypatch.setattr("svqkit.models.simvp.stacked", lambda x, size: x.contiguous().view(size, -1, *x.shape[2:]))
    monkeypatch.setattr(
        "svqkit.models.simvp.unstacked", lambda x, time: x.contiguous().view(len(x) * time, -1, *x.shape[2:])
    )
    slow = steps(loop.Objective(plain, chosen.training), torch.optim.Adam(plain.parameters()), batch(chosen))
    assert fast == pytest.approx(slow, abs=1e-5)
    assert fast[-1] != pytest.approx(fast[0], abs=1e-3), "something was learnt"


def test_stacking_is_a_reshape() -> None:
    x = torch.randn(6, 5, 4, 3).contiguous(memory_format=torch.channels_last)
    y = stacked(x, 2)
    assert torch.equal(y, x.reshape(2, 15, 4, 3))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(unstacked(y, 3), x)
    assert unstacked(y, 3).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("longitude", ["zeros", "wrap"])
def test_every_layer_of_a_step_sees_channels_last(longitude: str) -> None:
    chosen = override(experiment(), {"model": {"longitude": longitude}})
    objective, _ = loop.prepare_model(models.build(chosen, SHAPE), chosen.training, "cpu")
    other: list[str] = []

    def look(name: str, *seen: object) -> None:
        # Frames of a dilated convolution are cut out of larger ones.
        for one in seen:
            if isinstance(one, Tensor) and one.ndim == 4 and one.stride(1) != 1 and one.shape[1] > 1:
                other.append(name)

    for name, module in objective.model.named_modules():
        if "encoder.0" not in name:
            module.register_forward_hook(lambda _module, inputs, output, name=name: look(name, *inputs, output))
    objective(*batch(chosen))
    assert other == []


def test_bf16_computes_the_loss_and_the_fold_in_float32_and_stays_near() -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        chosen = experiment(precision=precision)
        torch.manual_seed(0)
        objective, optimizer = loop.prepare_model(models.build(chosen, SHAPE), chosen.training, "cpu")
        loss, own = objective(*batch(chosen))
        assert loss.dtype == torch.float32
        assert own.dtype == torch.float32
        with torch.autocast("cpu", torch.bfloat16):
            assert {part.dtype for part in objective.model.quantizer.folded()} == {torch.float32}
        losses[precision] = steps(objective, optimizer, batch(chosen))
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)
    assert losses["bf16"] != losses["fp32"]


def test_a_rehearsal_leaves_no_trace() -> None:
    chosen = experiment()
    objective, _ = loop.prepare_model(models.build(chosen, SHAPE), chosen.training, "cpu")
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    frames = batch(chosen)
    random = torch.get_rng_state()
    rehearse(objective, objective, frames)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    assert all(weight.grad is None for weight in objective.parameters())


def test_what_can_not_be_compiled_runs_as_it_is_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        def step(*_: object) -> object:
            raise RuntimeError("\nno C compiler found\nmore")

        return step

    monkeypatch.setattr(torch, "compile", broken)
    chosen, said = experiment(), []
    objective, _ = loop.prepare_model(models.build(chosen, SHAPE), chosen.training, "cpu")
    assert compiled(objective, "on", batch(chosen), said.append) is objective
    assert said == ["Not compiled, the steps run as they are: RuntimeError: no C compiler found"]
    said.clear()
    for wanted in ("off", "auto"):
        assert compiled(objective, wanted, batch(chosen), said.append) is objective
    assert said == [], "on a CPU it is not wanted by itself"


@pytest.mark.slow
@pytest.mark.parametrize(("longitude", "backend"), [("zeros", "aot_eager"), ("wrap", "inductor")])
def test_compiled_steps_are_those_of_the_model(longitude: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are traced, forth and back; for one of them C++ is written and compiled too, which takes a minute.

    Where there is no C compiler it is a fall-back that is compared. "graphs" is "on" and, on a GPU, more.
    """
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    chosen = override(experiment(), {"model": {"drop_path": 0.0, "N_T": 2, "longitude": longitude}})
    found = []
    for how in ("off", "graphs"):
        torch.manual_seed(0)
        objective, optimizer = loop.prepare_model(models.build(chosen, SHAPE), chosen.training, "cpu")
        losses = compiled(objective, how, batch(chosen), print)

        class Step(nn.Module):
            def forward(self, *frames: Tensor, losses: object = losses) -> tuple[Tensor, Tensor]:
                return losses(*frames)

        found.append(steps(Step(), optimizer, batch(chosen)))
    assert found[1] == pytest.approx(found[0], abs=1e-5)


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_weights_of_maps_have_channels_last_and_those_of_clips_stay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3), nn.Linear(3, 4), nn.Conv2d(4, 1, 1))
    before = copy.deepcopy(model.state_dict())
    changed = to_channels_last(model)
    assert changed is model
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model[1].weight.is_contiguous()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert list(model.state_dict()) == list(before)


def test_a_gradient_lies_as_its_weight_does() -> None:
    """Otherwise DDP copies it, and warns."""
    conv = to_channels_last(nn.Conv2d(32, 1, 1))
    conv(torch.randn(2, 32, 8, 8).contiguous(memory_format=torch.channels_last)).sum().backward()
    assert conv.weight.grad.stride() == conv.weight.stride()


def test_only_convolutions_of_single_positions_are_taken_for_pointwise() -> None:
    others = [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1, 2), nn.Conv2d(4, 4, 1, padding=1), nn.Conv2d(4, 4, 1, groups=2)]
    assert [type(to_channels_last(module)) for module in others] == [nn.Conv2d] * 4
    assert type(to_channels_last(nn.Conv2d(4, 6, 1))) is PointwiseConv2d


@pytest.mark.usefixtures("one_thread")
@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.booleans(),
    st.sampled_from([torch.contiguous_format, torch.channels_last]),
)  # fmt: skip
def test_a_pointwise_convolution_is_torchs_with_its_gradients(
    batch: int, channels_in: int, channels_out: int, height: int, width: int, bias: bool, order: torch.memory_format
) -> None:
    torch.manual_seed(0)
    theirs = nn.Conv2d(channels_in, channels_out, 1, bias=bias).double()
    ours = to_channels_last(copy.deepcopy(theirs))
    x = torch.randn(batch, channels_in, height, width, dtype=torch.float64).contiguous(memory_format=order)
    towards = torch.randn(batch, channels_out, height, width, dtype=torch.float64)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolutions, "WORTH_IT", 0)
        assert ours._is_worth_it(x)
        for module in (ours, theirs):
            frames = x.clone(memory_format=torch.preserve_format).requires_grad_()
            y = module(frames)
            y.backward(towards)
            found.append((y.detach(), frames.grad, *(weight.grad for weight in module.parameters())))
    for own, expected in zip(*found, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "exact"), [((3, 3), False), ((5, 5), True), ((5, 7), True)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_large_depthwise_kernel_is_computed_in_float32_under_bf16(
    kernel: tuple[int, int], exact: bool, dilation: int
) -> None:
    torch.manual_seed(0)
    padding = tuple(dilation * (size // 2) for size in kernel)
    theirs = nn.Conv2d(8, 8, kernel, padding=padding, groups=8, dilation=dilation)
    ours = to_channels_last(copy.deepcopy(theirs))
    if dilation > 1:
        ours.__class__ = DilatedConv2d
    x, towards = torch.randn(2, 8, 9, 11).bfloat16(), torch.randn(2, 8, 9, 11).bfloat16()
    theirs(x.float()).backward(towards.float())
    with torch.autocast("cpu", torch.bfloat16):
        y = ours(x)
        y.backward(towards)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), theirs(x.float()), rtol=2e-2, atol=2e-2)
    difference = (ours.weight.grad - theirs.weight.grad).abs().max()
    assert (difference < 1e-4) == exact


@pytest.mark.parametrize(
    ("device", "units", "warned"),
    [("cpu", {}, True), ("cpu", {"amx_bf16": True}, False), ("cpu", {"avx512_bf16": True}, False), ("meta", {}, False)],
)
def test_who_trains_in_bf16_without_units_for_it_is_told(
    device: str, units: dict[str, bool], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x86 = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: x86 | units, raising=False)
    assert bool(performance.bf16_note(torch.device(device))) == warned


LARGE = 2**28
needs_glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="only glibc's malloc can be told so"
)


def resident() -> int:
    """Bytes that this process holds."""
    return psutil.Process().memory_info().rss


def resident_after_use() -> int:
    """Bytes that this process holds after a large tensor was made and freed."""
    torch.ones(LARGE // 4)
    return resident()


def keep_and_give_back(rank: int) -> None:
    before = resident()
    with performance.freed_memory_kept():
        assert resident_after_use() - before > LARGE / 2
    assert resident() - before < LARGE / 2, "given back after"
    with performance.freed_memory_kept():
        performance.freed_memory_kept()(resident_after_use)()
        assert resident() - before > LARGE / 2, "the inner one leaves it to the outer one"
    with pytest.raises(ZeroDivisionError), performance.freed_memory_kept():
        1 / (resident_after_use() < before)
    assert resident() - before < LARGE / 2, "an error ends it"


@needs_glibc
def test_freed_memory_stays_inside_and_is_given_back_after() -> None:
    """In a process of its own: where memory lies in pieces, glibc may keep some of it by itself."""
    multiprocessing.spawn(keep_and_give_back, nprocs=1)


def test_without_glibc_no_memory_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance.sys, "platform", "darwin")
    monkeypatch.setattr(performance.ctypes, "CDLL", None)
    with performance.freed_memory_kept():
        torch.ones(10)
