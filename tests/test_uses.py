"""Quantizers in other people's models: what is done to a model as a whole takes effect on them, or is refused."""

import copy
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest
import quantizer_uses
import test_plugin
import torch
from created import seeded
from quantizer_uses import use
from quantizercases import DIM, DRAWS, NO_FOLDERS, every_kind, latents, linears, made, moves
from torch import Tensor, nn
from torch.func import functional_call, grad, jacfwd, jacrev, vmap
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint

from svqkit.errors import SvqkitError
from svqkit.quantizers import FSQ, SVQ, VQ, Quantizer, ResidualVQ
from svqkit.quantizers.assignment import Assignment

assert_same = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-6)


class Adapter(nn.Module):
    """A linear layer with a change of rank 2 beside it, as LoRA has it."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down, self.up = (
            nn.Parameter(0.3 * torch.randn(size)) for size in [(2, base.in_features), (base.out_features, 2)]
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.down.T @ self.up.T

    @property
    def weight(self) -> Tensor:
        return self.base.weight  # as those of peft have it: the adapter's own share is not in it


Values = Callable[[], tuple[Tensor, Tensor]]


def adapt(parent: nn.Module, name: str) -> Values:
    adapter = Adapter(getattr(parent, name))
    setattr(parent, name, adapter)
    return lambda: (adapter.base.weight + adapter.up @ adapter.down, adapter.base.bias)


def hook(parent: nn.Module, name: str) -> Values:
    linear = getattr(parent, name)
    linear.register_forward_hook(lambda module, given, output: 2 * output)
    return lambda: (2 * linear.weight, 2 * linear.bias if linear.bias is not None else None)


def hook_before(parent: nn.Module, name: str) -> Values:
    linear = getattr(parent, name)
    linear.register_forward_pre_hook(lambda module, given: (given[0] / 2,))
    return lambda: (linear.weight / 2, linear.bias)


def cut(parent: nn.Module, name: str) -> Values:
    linear = getattr(parent, name)
    prune.random_unstructured(linear, "weight", 0.5)
    return lambda: (linear.weight_orig * linear.weight_mask, linear.bias)


def normed(parent: nn.Module, name: str) -> Values:
    linear = parametrizations.weight_norm(getattr(parent, name))
    with torch.no_grad():
        linear.parametrizations.weight.original0.mul_(1.5)
    return lambda: (linear.weight, linear.bias)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def normed_as_before(parent: nn.Module, name: str) -> Values:
    linear = nn.utils.weight_norm(getattr(parent, name))
    with torch.no_grad():
        linear.weight_g.mul_(1.5)
    return lambda: (linear.weight_g * linear.weight_v / linear.weight_v.norm(dim=1, keepdim=True), linear.bias)


def overridden(parent: nn.Module, name: str) -> Values:
    """A forward of the instance's own, as tools that move weights between devices set it."""
    linear = getattr(parent, name)
    linear.forward = lambda x, usual=linear.forward: 3 * usual(x)
    return lambda: (3 * linear.weight, 3 * linear.bias if linear.bias is not None else None)


WRAPPERS = [adapt, hook, hook_before, cut, normed, normed_as_before, overridden]


def step(layer: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor) -> dict[str, Tensor | None]:
    """Output, loss and the latents' gradient."""
    x = x.clone().requires_grad_()
    torch.manual_seed(7)
    output, loss = layer(x)
    objective = (output * seeded(tuple(output.shape), 9).to(output)).mean() + loss
    if objective.requires_grad:
        objective.backward()
    return {"output": output.detach(), "loss": loss.detach(), "gradient": x.grad}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("wrap", WRAPPERS)
@use("wrapped")
@every_kind
def test_what_wraps_a_linear_layer_takes_effect(case: str, wrap: Callable[[nn.Module, str], Values]) -> None:
    """As the same layer does whose weights are what the wrapper makes of them; also after its parameters moved."""
    layer, twin, x = made(case), made(case), latents()
    wrapped: dict[str, Values] = {}
    for name in linears(layer):
        parent, _, last = name.rpartition(".")
        wrapped[name] = wrap(layer.get_submodule(parent), last)
    for _ in range(2):
        with torch.no_grad():
            rest = {name: one for name, one in layer.state_dict().items() if not name.startswith(tuple(wrapped))}
            twin.load_state_dict(rest, strict=False)
            for name, values in wrapped.items():
                linear = twin.get_submodule(name)
                weight, bias = values()
                linear.weight.copy_(weight)
                if linear.bias is not None:
                    linear.bias.copy_(bias)
        assert_same(step(layer, x), step(twin, x))
        if layer.has_codebook:
            assert_same(layer.codes(), twin.codes())
            chosen = torch.arange(3)
            assert_same(layer.weights_of(x, chosen), twin.weights_of(x, chosen))
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.mul_(1.1)


@use("wrapped")
@every_kind
def test_an_adapter_learns(case: str) -> None:
    layer = made(case)
    for name in linears(layer):
        parent, _, last = name.rpartition(".")
        adapt(layer.get_submodule(parent), last)
    output, loss = layer(latents())
    adapters = [one for one in layer.modules() if isinstance(one, Adapter)]
    if adapters:
        (output.square().sum() + loss).backward()
    assert all(one.up.grad.any() and one.down.grad.any() for one in adapters)


@pytest.mark.parametrize("options", [{}, {"output_relu": True}, {"l1": 0.3}, {"l1": 0.3, "output_relu": True}])
def test_svq_with_a_wrapped_layer_is_the_formula(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks too, with a hook that sees every position."""
    torch.manual_seed(0)
    layer = SVQ(DIM, 40, 8, **options)
    twin, seen = copy.deepcopy(layer), []
    layer.weights.register_forward_hook(lambda module, given, output: seen.append(len(given[0])))
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 40 * 5)
    x = latents()
    assert_same(step(layer, x), step(twin, x))
    assert sum(seen) == 2 * 24, "forth, and again for the gradient"


@pytest.mark.parametrize("wrap", [adapt, hook, cut])
@pytest.mark.parametrize("part", ["hidden", "weights"])
def test_a_wrapped_layer_is_not_folded_in_silence(part: str, wrap: Callable[[nn.Module, str], Values]) -> None:
    layer = SVQ(DIM, 40, 8)
    wrap(layer, part)
    with pytest.raises(SvqkitError, match=rf"`{part}` .* is wrapped or has hooks.*Merge or remove"):
        layer.without_codebook()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("wrap", [nn.utils.weight_norm, lambda *part: prune.random_unstructured(*part, 0.5)])
def test_a_codebook_that_a_hook_computes_is_not_folded(wrap: Callable[[nn.Module, str], nn.Module]) -> None:
    layer = SVQ(DIM, 40, 8)
    wrap(layer, "codebook")
    with pytest.raises(SvqkitError, match="codebook is pruned or normed"):
        layer.without_codebook()


@pytest.mark.parametrize("wrap", [hook, hook_before, overridden])
def test_what_would_not_be_saved_is_refused(wrap: Callable[[nn.Module, str], Values], tmp_path: Path) -> None:
    layer = SVQ(DIM, 40, 8)
    wrap(layer, "hidden")
    with pytest.raises(SvqkitError, match=r"'hidden' .* not saved"):
        layer.save_pretrained(tmp_path / "layer")
    assert not (tmp_path / "layer").exists()


def test_under_torch_func_autocast_leaves_the_fold_in_float32() -> None:
    layer = SVQ(DIM, 40, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = vmap(lambda _: layer.folded()[0])(torch.zeros(1))
    assert_same(found[0], layer.folded()[0])


def test_a_parametrization_and_pruning_made_permanent_fold() -> None:
    layer, x = SVQ(DIM, 40, 8), latents().flatten(2).transpose(1, 2)
    parametrizations.weight_norm(layer.weights)
    assert_same(layer.without_codebook()(x), layer(x).output)
    parametrize.remove_parametrizations(layer.weights, "weight")
    cut(layer, "weights")
    prune.remove(layer.weights, "weight")
    assert_same(layer.without_codebook()(x), layer(x).output)


@pytest.mark.filterwarnings("ignore")
@use("int8")
@every_kind
def test_int8_dynamic_quantization_takes_effect_and_stays_near(case: str) -> None:
    layer, x = made(case).eval(), latents(8)
    small = torch.ao.quantization.quantize_dynamic(copy.deepcopy(layer), {nn.Linear}, torch.qint8)
    found, usual = small(x).output, layer(x).output
    apart = (found - usual).norm(dim=1) / usual.norm(dim=1).mean()
    # A hard choice between two codes that are as near may fall otherwise.
    assert float((apart < 0.05).float().mean()) > 0.8
    assert torch.equal(found, usual) == (not linears(layer))
    if layer.has_codebook:
        assert layer.weights_of(x, torch.arange(3)).isfinite().all()


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16], ids=str)
@use("half")
@every_kind
def test_a_module_of_half_precision_does_what_one_of_float32_does(case: str, precision: torch.dtype) -> None:
    """Those that choose codes to the bit: they compute in float32, and only what comes out is rounded."""
    half, x = made(case).to(precision), latents(8).to(precision)
    full = copy.deepcopy(half).float()
    if half.has_codebook:
        torch.testing.assert_close(half.codes().float(), full.codes(), rtol=0.02, atol=0.01)
    found, wanted = step(half, x), step(full, x.float())
    assert half(x).output.dtype == precision
    full(x.float())
    if not isinstance(half, Assignment):
        torch.testing.assert_close(found["output"].float(), wanted["output"], rtol=0.05, atol=0.01)
        torch.testing.assert_close(found["loss"].float(), wanted["loss"], rtol=0.01, atol=0)
    elif case not in DRAWS:
        assert torch.equal(found["output"], wanted["output"].to(precision))
    if found["gradient"] is not None:  # what comes back to the layer is of half precision already
        torch.testing.assert_close(found["gradient"].float(), wanted["gradient"], rtol=0.05, atol=1e-3)
    half.eval(), full.eval()
    if half.has_codebook:
        assert half.usage(x).share.isfinite().all()
        assert half.weights_of(x, torch.arange(3)).shape == (8, 3, 4, 3)


no_graph = pytest.mark.xfail(
    torch.__version__.startswith("2.7"), reason="torch 2.7 breaks the graph in functional_call"
)


@pytest.mark.parametrize("kind", [pytest.param(VQ, marks=no_graph), FSQ])
def test_a_module_of_half_precision_compiles_as_one_graph(kind: type[Quantizer]) -> None:
    torch.manual_seed(0)
    layer, x = kind(DIM).to(torch.bfloat16), latents().to(torch.bfloat16)
    twin = copy.deepcopy(layer)
    assert torch.equal(torch.compile(layer, backend="eager", fullgraph=True)(x).output, twin(x).output)
    assert all(torch.equal(one, twin.get_buffer(name)) for name, one in layer.named_buffers())


@pytest.mark.parametrize("kind", [VQ, ResidualVQ])
def test_moving_averages_of_half_precision_are_those_of_float32_rounded(kind: type[Quantizer]) -> None:
    torch.manual_seed(0)
    half, x = kind(DIM, 16).to(torch.bfloat16), latents(8).to(torch.bfloat16)
    full, before = copy.deepcopy(half).float(), half.codes()
    half(x)
    full(x.float())
    assert not torch.equal(half.codes(), before)
    for name, buffer in half.named_buffers():
        assert torch.equal(buffer, full.get_buffer(name).to(buffer.dtype))


@use("torch.func")
@every_kind
def test_torch_func_gives_the_gradients_of_autograd(case: str) -> None:
    layer, x = made(case), latents()
    layer.train(not moves(layer))
    parameters = {name: one.detach() for name, one in layer.named_parameters() if one.requires_grad}

    def objective(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        output, loss = functional_call(layer, parameters, (x,))
        return (output * seeded(tuple(output.shape), 9, torch.float32)).mean() + loss

    torch.manual_seed(7)
    found = grad(objective, (0, 1))(parameters, x)
    wanted = {name: one.requires_grad_() for name, one in parameters.items()}
    x = x.clone().requires_grad_()
    torch.manual_seed(7)
    value = objective(wanted, x)
    if value.requires_grad:
        expected = torch.autograd.grad(value, [*wanted.values(), x], allow_unused=True, materialize_grads=True)
        assert_same([*found[0].values(), found[1]], [*expected])


@use("torch.func")
@every_kind
def test_vmap_gives_each_sample_its_own_gradients(case: str) -> None:
    layer, x = made(case).eval(), latents(3)
    assert_same(vmap(lambda sample: layer(sample[None]).output[0])(x), layer(x).output)
    parameters = {name: one.detach() for name, one in layer.named_parameters()}

    def objective(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(layer, parameters, (sample[None],)).output.square().sum()

    each = vmap(grad(objective), (None, 0))(parameters, x)
    one = grad(objective)(parameters, x[1])
    assert_same({name: value[1] for name, value in each.items()}, one)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
@use("torch.func")
@every_kind
def test_jacobians_are_those_of_autograd(case: str, jacobian: Callable) -> None:
    layer, x = made(case).eval(), latents(1)[..., :2, :1]
    found = jacobian(lambda x: layer(x).output)(x)
    assert_same(found, torch.autograd.functional.jacobian(lambda x: layer(x).output, x))


@pytest.mark.parametrize("reentrant", [False, True])
@use("checkpoint")
@every_kind
def test_activation_checkpointing_changes_nothing_or_is_refused(case: str, reentrant: bool) -> None:
    layer, twin, x = made(case), made(case), latents()
    kept = partial(checkpoint, layer, use_reentrant=reentrant)
    usual = step(twin, x)
    if not moves(layer):
        assert_same(step(kept, x), usual)
        return
    with pytest.raises(SvqkitError, match=r"checkpointing runs the forward pass twice.*Leave the quantizer out"):
        step(kept, x)
    assert_same(dict(layer.named_buffers()), dict(twin.named_buffers()))
    layer.eval(), twin.eval()
    assert torch.equal(kept(x)[0], twin(x).output)


@use("save_pretrained")
@every_kind
def test_a_layer_is_saved_and_opened_again(case: str, tmp_path: Path) -> None:
    layer, x = made(case), latents()
    step(layer, x)  # a moving codebook is saved as it is by then
    copy.deepcopy(layer).save_pretrained(tmp_path / "layer")
    random_state = torch.get_rng_state()
    layer.save_pretrained(tmp_path / "layer")
    assert torch.equal(torch.get_rng_state(), random_state)
    assert sorted(path.name for path in (tmp_path / "layer").iterdir()) == ["config.json", "model.safetensors"]
    for kind in (type(layer), Quantizer):
        opened = kind.from_pretrained(tmp_path / "layer")
        assert type(opened) is type(layer)
        assert not opened.training
        assert torch.equal(opened(x).output, layer.eval()(x).output)
    layer.train()
    assert_same(step(opened.train(), x), step(layer, x))


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float64], ids=str)
@every_kind
def test_an_opened_layer_is_float32_and_has_values_whatever_new_tensors_are(
    case: str, precision: torch.dtype, tmp_path: Path
) -> None:
    layer = made(case).eval()
    layer.save_pretrained(tmp_path)
    torch.set_default_dtype(precision)
    try:
        with torch.device("meta"):
            opened = Quantizer.from_pretrained(tmp_path)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(dict(opened.named_parameters()), dict(layer.named_parameters()))
    assert torch.equal(opened(latents()).output, layer(latents()).output)


def test_tied_weights_are_saved_and_opened(tmp_path: Path) -> None:
    layer, x = SVQ(DIM, 40, hidden_dim=0), latents()
    layer.weights.weight = layer.codebook
    layer.save_pretrained(tmp_path)
    assert torch.equal(SVQ.from_pretrained(tmp_path)(x).output, layer.eval()(x).output)


def test_the_home_folder_is_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    SVQ(DIM, 30).save_pretrained("~/layer")
    assert (tmp_path / "layer/config.json").exists()
    assert SVQ.from_pretrained("~/layer").codebook_size == 30


@pytest.mark.parametrize("name", NO_FOLDERS)
def test_what_can_not_be_a_folder_is_one_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(SvqkitError, match="can't be made a folder"):
        SVQ(DIM, 30).save_pretrained(name)
    with pytest.raises(SvqkitError, match="There is no folder"):
        SVQ.from_pretrained(name)


def test_a_layer_keeps_how_it_was_made_by_position_or_name(tmp_path: Path) -> None:
    SVQ(DIM, 30, hidden_dim=5, learnable=False, l1=0.5).save_pretrained(tmp_path)
    opened = SVQ.from_pretrained(tmp_path)
    assert (opened.codebook_size, opened.hidden.out_features, opened.l1) == (30, 5, 0.5)
    assert not opened.codebook.requires_grad
    FSQ(DIM, [7, 5]).save_pretrained(tmp_path)
    assert FSQ.from_pretrained(tmp_path).codebook_size == 35


def test_what_can_not_be_saved_is_refused(tmp_path: Path) -> None:
    class Mine(SVQ):
        pass

    adapted = SVQ(DIM, 30)
    adapt(adapted, "hidden")
    for layer, words in [(Mine(DIM, 30), "Mine has no settings"), (adapted, "merge or remove what wraps its layers")]:
        with pytest.raises(SvqkitError, match=words):
            layer.save_pretrained(tmp_path)
        assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    VQ(DIM, 16).save_pretrained(tmp_path)
    written = (tmp_path / "config.json").read_text()
    changes = {
        "use VQ.from_pretrained": (SVQ, written),
        "quantizer.codebook_size": (VQ, written.replace("16", '"many"')),
        "weights of another model": (VQ, written.replace("16", "17")),
        "tells of 218,103,809 weights": (VQ, written.replace("16", str(2**24))),
        "format": (VQ, written.replace('"format": 1', '"format": 2')),
    }
    for words, (kind, text) in changes.items():
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(SvqkitError, match=words):
            kind.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(written)
    (tmp_path / "model.safetensors").write_bytes(b"pickled")
    with pytest.raises(SvqkitError, match="No readable weights"):
        VQ.from_pretrained(tmp_path)
    for source, words in [(tmp_path / "nothing", "There is no folder"), (tmp_path.parent, "holds no config.json")]:
        with pytest.raises(SvqkitError, match=words):
            VQ.from_pretrained(source)


def test_an_id_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SVQ(DIM, 16).save_pretrained(tmp_path)
    asked = []
    hub = SimpleNamespace(snapshot_download=lambda name, **options: asked.append((name, options)) or str(tmp_path))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert SVQ.from_pretrained("someone/svq").codebook_size == 16
    assert asked == [("someone/svq", {"allow_patterns": ["config.json", "model.safetensors"]})]
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SvqkitError, match="pip install huggingface_hub"):
        SVQ.from_pretrained("someone/svq")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"hidden_relu": False}, {"hidden_dim": 0}])
def test_svq_without_its_codebook_is_exported_to_onnx(options: dict, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = SVQ(DIM, **{"codebook_size": 40, "hidden_dim": 8} | options)
    x = latents().flatten(2).transpose(1, 2).contiguous()
    batch = torch.export.Dim("batch", min=1)
    path = tmp_path / "svq.onnx"
    torch.onnx.export(
        layer.without_codebook(),
        (x,),
        path,
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: batch},),
        input_names=["x"],
    )
    session = onnxruntime.InferenceSession(path)
    for latent in (x, x[:1], torch.cat([x, x + 1])):
        (found,) = session.run(None, {"x": latent.numpy()})
        assert_same(torch.from_numpy(found), layer(latent).output.detach())


def test_svq_without_its_codebook_is_torchscript() -> None:
    layer, x = SVQ(DIM, 40, 8), latents().flatten(2).transpose(1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(layer.without_codebook())
    assert_same(scripted(x), layer(x).output)


def test_the_page_says_what_is_tested_here() -> None:
    page = quantizer_uses.PAGE.read_text(encoding="utf-8")
    assert page == quantizer_uses.with_table(page), "run `python -m tests.quantizer_uses`"
    marked = set()
    for test in [*vars(test_plugin).values(), *globals().values()]:
        marks = {mark.name: mark for mark in getattr(test, "pytestmark", [])}
        if "use" in marks:
            marked.add(marks["use"].args[0])
            assert every_kind.mark in test.pytestmark
    assert marked == set(quantizer_uses.USES)
