"""What every quantizer owes a model that it is plugged into, whichever kind it is."""

import copy
import inspect
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import pytest
import torch
from created import seeded
from quantizer_uses import use
from quantizercases import CASES, DIM, DRAWS, both_modes, every_kind, latents, made
from torch import Tensor, nn
from torch import distributed as dist
from torch import multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from svqkit.errors import SvqkitError
from svqkit.settings import quantizers as kinds


def stored(layer: nn.Module) -> dict[str, Tensor]:
    return {**dict(layer.named_parameters()), **dict(layer.named_buffers())}


def step(layer: Callable[[Tensor], tuple[Tensor, Tensor]], owner: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Output, loss and gradients of a step, with the same random numbers each time."""
    owner.zero_grad()
    x = x.clone().requires_grad_()
    torch.manual_seed(7)
    output, loss = layer(x)
    objective = (output * seeded(tuple(output.shape), 9, torch.float32)).mean() + loss
    found = {"output": output.detach(), "loss": loss.detach()}
    if objective.requires_grad:
        objective.backward()
    given = {name: one.grad for name, one in owner.named_parameters()} | {"x": x.grad}
    return found | {f"gradient of {name}": one.clone() for name, one in given.items() if one is not None}


assert_same = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-6)
# Of each layer one way to set it.
FIRST = {settings.name: case for case, settings in reversed(CASES.items())}.values()


def test_every_kind_is_here() -> None:
    assert {one.name for one in CASES.values()} == set(kinds.QUANTIZERS)


@every_kind
def test_settings_are_the_arguments_of_the_layer(case: str) -> None:
    options = asdict(CASES[case])
    assert options.pop("name") in kinds.QUANTIZERS
    layer = made(case)
    assert layer.dim == DIM
    with pytest.raises(TypeError):
        type(layer)(dim=DIM, **options, no_such_option=1)


@both_modes
@every_kind
def test_output_has_the_shape_and_type_of_the_input_and_the_loss_is_a_finite_scalar(case: str, training: bool) -> None:
    layer, x = made(case).train(training), latents()
    output, loss = layer(x)
    assert (output.shape, output.dtype) == (x.shape, x.dtype)
    assert output.isfinite().all()
    assert loss.shape == ()
    assert loss.isfinite()
    assert case == "none" or not torch.equal(output, x)


@both_modes
@every_kind
def test_maps_sequences_and_clips_agree(case: str, training: bool) -> None:
    x = latents()
    results = []
    for view in (x, x.flatten(2).transpose(1, 2), x.unflatten(2, (2, 2))):
        layer = made(case).train(training)
        torch.manual_seed(1)
        output, loss = layer(view)
        assert output.shape == view.shape
        results.append((output.transpose(1, 2) if view.ndim == 3 else output).reshape(x.shape))
        results.append(loss)
    for output, loss in zip(results[2::2], results[3::2], strict=True):
        torch.testing.assert_close(output, results[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(loss, results[1], rtol=1e-5, atol=1e-6)


@every_kind
def test_in_eval_the_same_input_gives_the_same_output_and_nothing_moves(case: str) -> None:
    layer, x = made(case).eval(), latents()
    before = copy.deepcopy(layer.state_dict())
    torch.manual_seed(1)
    first = layer(x)
    torch.manual_seed(2)
    second = layer(x)
    assert torch.equal(first.output, second.output)
    assert torch.equal(first.loss, second.loss)
    assert all(torch.equal(one, before[name]) for name, one in layer.state_dict().items())


@use("copy, state_dict")
@every_kind
def test_a_copy_does_the_same_and_is_its_own(case: str) -> None:
    layer, x = made(case), latents()
    step(layer, layer, x)  # a used layer can be copied too
    twin = copy.deepcopy(layer)
    assert torch.equal(twin.eval()(x).output, layer.eval()(x).output)
    own = {one.data_ptr() for one in stored(layer).values() if one.numel()}
    assert not own & {one.data_ptr() for one in stored(twin).values()}
    assert_same(step(twin.train(), twin, x), step(layer.train(), layer, x))


@use("copy, state_dict")
@every_kind
def test_weights_survive_a_state_dict(case: str, tmp_path: Path) -> None:
    layer, other, x = made(case), made(case, seed=1), latents()
    step(layer, layer, x)
    torch.save(layer.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other.eval()(x).output, layer.eval()(x).output)
    own = {one.data_ptr() for one in stored(layer).values() if one.numel()}
    assert not own & {one.data_ptr() for one in stored(other).values()}
    assert_same(step(other.train(), other, x), step(layer.train(), layer, x))


@use("autocast")
@every_kind
def test_bfloat16_autocast_agrees_with_float32(case: str) -> None:
    layer, x = made(case), latents(8)
    with torch.autocast("cpu", torch.bfloat16):
        found = step(layer, layer, x)
    assert all(one.isfinite().all() for one in found.values())
    assert all(one.dtype == torch.float32 for one in stored(layer).values() if one.is_floating_point())
    layer = made(case).eval()
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x).output.float()
    whole = layer(x).output
    apart = (half - whole).norm(dim=1) / whole.norm(dim=1).mean()
    # A hard choice between two codes that are as near may fall otherwise; all else is rounding, of 8 bits.
    assert float((apart < 0.05).float().mean()) > 0.9


# To trace a backward pass takes seconds.
@pytest.mark.parametrize("training", [pytest.param(True, marks=pytest.mark.slow), False], ids=["train", "eval"])
@use("compile")
@every_kind
def test_it_compiles_as_one_graph_and_once_more_for_another_batch(case: str, training: bool) -> None:
    from torch._dynamo.testing import CompileCounterWithBackend  # 2 s that the processes below do not need

    layer = made(case).train(training)
    twin = copy.deepcopy(layer)
    torch.compiler.reset()
    # aot_eager also takes the backward pass apart, which costs as much again as the tracing: once for each layer.
    graphs = CompileCounterWithBackend("aot_eager" if training and case in FIRST else "eager")
    compiled = torch.compile(layer, backend=graphs, fullgraph=True)
    for number, batch in enumerate((2, 3, 5)):
        found = step(compiled, layer, latents(batch, number))
        assert_same(found, step(twin, twin, latents(batch, number)))
    assert graphs.frame_count <= 2
    assert_same(dict(layer.named_buffers()), dict(twin.named_buffers()))


@use("export")
@every_kind
def test_it_is_exported_for_any_batch(case: str) -> None:
    layer = made(case).eval()
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(layer, (latents(),), dynamic_shapes=({0: batch},)).module()
    for size in (1, 2, 7):
        x = latents(size, size)
        torch.testing.assert_close(program(x)[0], layer(x).output, rtol=1e-5, atol=1e-6)


@every_kind
def test_other_shapes_are_refused(case: str) -> None:
    if case == "none":
        assert made(case)(torch.ones(3)).output.shape == (3,)
        return
    layer = made(case)
    for shape in ((DIM,), (2, DIM), (2, DIM, 3), (2, 3, 4, DIM), (2, 3, DIM, 4, 4), (2, DIM, 2, 2, 2, 2)):
        calls = [layer, layer.usage, getattr(layer, "code_weights", layer)] if layer.has_codebook else [layer]
        for call in calls:
            with pytest.raises(SvqkitError, match=rf"\(N, {DIM}, H, W\), .*, got \({', '.join(map(str, shape))}"):
                call(torch.ones(shape))


class Around(nn.Module):
    """A quantizer behind a convolution: a model with something to learn whatever the quantizer is."""

    def __init__(self, case: str) -> None:
        super().__init__()
        self.quantizer = made(case)
        self.convolution = nn.Conv2d(DIM, DIM, 1)
        with torch.no_grad():
            self.convolution.weight.copy_(torch.eye(DIM)[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        output, loss = self.quantizer(self.convolution(x))
        return (output * seeded((1, *output.shape[1:]), 9, torch.float32)).mean() + loss


def trained(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Gradients, and buffers afterwards, of a step."""
    model(x).backward()
    own = model.module if isinstance(model, DistributedDataParallel) else model
    found = {f"gradient of {name}": one.grad for name, one in own.named_parameters() if one.grad is not None}
    return found | {name: one.detach().clone() for name, one in own.named_buffers()}


def one_of_two(rank: int, cases: list[str], folder: str) -> None:
    """A process that sees its half of the batch."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found: dict[str, dict[str, Tensor] | str] = {}
    for case in cases:
        model = DistributedDataParallel(Around(case))
        torch.manual_seed(rank)
        found[case] = trained(model, latents(4).chunk(2)[rank])
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def halves(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """What two processes have after a step on half of the batch each, for the kinds that are asked for here."""
    folder = tmp_path_factory.mktemp("two")
    chosen = [item.callspec.params["case"] for item in request.session.items if "halves" in item.fixturenames]
    mp.start_processes(one_of_two, (chosen, str(folder)), nprocs=2, start_method="forkserver")
    first, second = (torch.load(folder / f"{rank}.pt") for rank in range(2))
    return first, second


@use("DDP")
@every_kind
def test_two_processes_do_what_one_does_with_the_whole_batch(case: str, halves: tuple[dict, dict]) -> None:
    first, second = (one[case] for one in halves)
    assert set(first) == set(second)
    for name, one in first.items():
        assert torch.equal(one, second[name]), name
    if case not in DRAWS:
        assert_same(first, trained(Around(case), latents(4)))
    elif case == "gumbel":  # each process draws its own numbers; nothing else is shared
        alone = []
        for rank, x in enumerate(latents(4).chunk(2)):
            model = Around(case)
            torch.manual_seed(rank)
            alone.append(trained(model, x))
        assert_same(first, {name: (one + alone[1][name]) / 2 for name, one in alone[0].items()})


@pytest.mark.parametrize("kind", kinds.QUANTIZERS)
def test_a_layer_and_its_settings_have_the_same_defaults(kind: str) -> None:
    settings = kinds.QUANTIZERS[kind]()
    given = inspect.signature(resolve_name(settings.layer)).parameters
    assert {name: given[name].default for name in asdict(settings) if name != "name"} == {
        name: value for name, value in asdict(settings).items() if name != "name"
    }
