"""Quantizers where other people's models are made, loaded, frozen, measured and left without data."""

import copy
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from created import seeded
from quantizercases import CASES, DIM, both_modes, every_kind, latents, linears, made, moves
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jvp, vmap
from torch.nn.utils import parametrizations, parametrize, prune

from svqkit.errors import SvqkitError
from svqkit.quantizers import SVQ, Quantizer, Softmax, build


def same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


class Dropping(nn.Module):
    """An adapter with dropout before it, as LoRA trains."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base, self.drop = base, nn.Dropout(0.5)
        self.down = nn.Parameter(torch.randn(2, base.in_features))
        self.up = nn.Parameter(torch.randn(base.out_features, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.drop(x) @ self.down.T @ self.up.T


def adapted(layer: Quantizer) -> Quantizer:
    for name, linear in linears(layer).items():
        parent, _, last = name.rpartition(".")
        setattr(layer.get_submodule(parent), last, Dropping(linear))
    return layer


@pytest.mark.parametrize("case", ["svq", "svq with ReLU and l1", "softmax", "mlp"])
def test_dropout_in_an_adapter_has_the_gradient_of_its_own_masks(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 40)
    layer, x = adapted(made(case)).double(), latents(1).double()
    names = [name for name, one in layer.named_parameters() if name.endswith("up")]

    def objective(*values: Tensor) -> Tensor:
        torch.manual_seed(3)
        output, loss = functional_call(layer, dict(zip(names, values, strict=True)), (x,))
        torch.manual_seed(4)  # what is drawn from here on has nothing to do with what was drawn
        return output.sin().sum() + loss

    assert torch.autograd.gradcheck(objective, [layer.get_parameter(name) for name in names])


class Masking(nn.Module):
    """Half of a weight's entries, others each time: DropConnect, as a parametrization."""

    def forward(self, weight: Tensor) -> Tensor:
        return nn.functional.dropout(weight, 0.5, self.training)


@pytest.mark.parametrize("case", ["svq", "svq with ReLU and l1", "softmax", "mlp"])
def test_a_random_weight_is_the_same_in_the_backward_pass(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 16)
    layer, x = made(case).double(), latents(1)[..., :2, :2].double()
    for linear in linears(layer).values():
        parametrize.register_parametrization(linear, "weight", Masking())

    def objective(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        output, loss = layer(x)
        torch.manual_seed(4)  # what is drawn from here on has nothing to do with what was drawn
        return output.sin().sum() + loss

    assert torch.autograd.gradcheck(objective, [x.requires_grad_()])


def normed_over_the_batch(parent: nn.Module, name: str) -> None:
    linear = getattr(parent, name)
    setattr(parent, name, nn.Sequential(linear, nn.BatchNorm1d(linear.out_features)))


def normed_by_its_spectrum(parent: nn.Module, name: str) -> None:
    parametrizations.spectral_norm(getattr(parent, name))


@pytest.mark.parametrize("norm", [normed_over_the_batch, normed_by_its_spectrum])
@pytest.mark.parametrize("case", ["svq", "svq with l1", "softmax", "mlp"])
def test_chunks_do_not_show_in_a_norm_with_a_state(
    case: str, norm: Callable[[nn.Module, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, x = made(case), latents(4)
    for name in linears(layer):
        norm(layer, name)
    twin = copy.deepcopy(layer)
    whole = twin(x).output
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 80)
    same(layer(x).output, whole)
    for name, value in layer.state_dict().items():
        same(value, twin.state_dict()[name])


@pytest.mark.parametrize("case", ["softmax", "mlp"])
def test_a_part_that_trains_in_a_layer_of_eval_mode_moves_in_the_forward_pass_only(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 80)
    layer = made(case).eval()
    norm = parametrizations.spectral_norm(layer.hidden).train().parametrizations.weight[0]
    output = layer(latents()).output
    moved = norm._u.clone()
    output.sum().backward()
    assert torch.equal(norm._u, moved)


@pytest.mark.parametrize("case", ["svq", "svq with l1", "svq with ReLU and l1", "softmax", "gumbel", "lista"])
def test_a_norm_of_the_codebook_moves_once_in_a_step(case: str) -> None:
    layer = made(case)
    norm = parametrizations.spectral_norm(layer, "codebook").parametrizations.codebook
    twin = copy.deepcopy(norm)
    layer(latents()).output.sum().backward()
    twin()
    same(norm[0]._u, twin[0]._u)


@pytest.mark.parametrize("part", ["codebook", "weights", "hidden"])
def test_a_fold_is_that_of_eval_mode_and_moves_nothing(part: str) -> None:
    layer, x = made("svq"), latents().flatten(2).transpose(1, 2)
    owner, name = (layer, part) if part == "codebook" else (layer.get_submodule(part), "weight")
    parametrize.register_parametrization(owner, name, Masking())
    parametrizations.spectral_norm(owner, name)
    before = copy.deepcopy(layer.state_dict())
    found = layer.without_codebook()(x)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert all(one.training for one in layer.modules())
    same(found, layer.eval()(x).output)


@pytest.mark.parametrize("case", ["softmax", "mlp", "lista"])
def test_parameters_that_moved_before_the_backward_pass_are_refused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 80)
    layer = made(case)
    output = layer(latents()).output.square().sum()
    with torch.no_grad():
        for one in layer.parameters():
            one.mul_(1.5)
    with pytest.raises(SvqkitError, match="changed in place"):
        output.backward()


@every_kind
def test_a_forward_that_all_linear_layers_are_given_takes_effect(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, twin, x = made(case).eval(), made(case).eval(), latents()
    for linear in linears(twin).values():
        linear.requires_grad_(False).weight.mul_(2)
        if linear.bias is not None:
            linear.bias.mul_(2)
    wanted, usual = twin(x).output, nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: 2 * usual(self, x))
    same(layer(x).output, wanted)


@every_kind
def test_threads_that_call_a_layer_of_half_precision_at_once_do_what_one_does(case: str) -> None:
    layer, x = made(case).eval().to(torch.bfloat16), latents().to(torch.bfloat16)
    wanted = layer(x).output
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: layer(x).output, range(100)))
    finally:
        sys.setswitchinterval(interval)
    assert all(torch.equal(one, wanted) for one in found)
    assert all(one.dtype == torch.bfloat16 for one in layer.parameters())


@pytest.mark.parametrize("case", ["svq", "svq with l1", "softmax", "gumbel", "mlp"])
def test_a_norm_with_a_state_moves_once_in_a_step(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = made(case), latents()
    norms = [parametrizations.spectral_norm(linear).parametrizations.weight for linear in linears(layer).values()]
    twins = copy.deepcopy(norms)
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 40 * 24 * 2)
    (layer(x).output.sum()).backward()
    for norm, twin in zip(norms, twins, strict=True):
        twin()
        same(norm[0]._u, twin[0]._u)
    monkeypatch.setattr("svqkit.quantizers.base.CHUNK_ELEMENTS", 40)
    output = layer(x).output
    moved = [norm[0]._u.clone() for norm in norms]
    output.sum().backward()
    assert all(torch.equal(norm[0]._u, before) for norm, before in zip(norms, moved, strict=True)), "in the backward"


@every_kind
def test_a_look_at_the_codebook_leaves_every_part_in_its_mode_and_is_that_of_eval_mode(case: str) -> None:
    layer, x, numbers = adapted(made(case)), latents(), torch.arange(3)
    if not layer.has_codebook:
        return
    looks: list[Callable[[], Tensor]] = [
        layer.codes,
        lambda: layer.weights_of(x, numbers),
        lambda: layer.usage(x).strength,
    ]
    layer.eval()
    wanted = [look() for look in looks]
    layer.train()
    for part in list(layer.children())[:1]:
        part.eval()
    modes = [part.training for part in layer.modules()]
    for look, value in zip(looks, wanted, strict=True):
        same(look(), value)
        assert [part.training for part in layer.modules()] == modes


@every_kind
def test_codes_are_a_copy(case: str) -> None:
    layer = made(case)
    if not layer.has_codebook:
        return
    wanted = layer.codes()
    layer.codes().detach().add_(1)
    assert torch.equal(layer.codes(), wanted)


NOTHING = [(0, DIM, 4, 3), (2, DIM, 0, 3), (2, DIM, 3, 0), (2, 0, DIM), (2, DIM, 0, 4, 3)]


@pytest.mark.parametrize("shape", NOTHING, ids=str)
@both_modes
@every_kind
def test_a_batch_of_nothing_changes_nothing(case: str, training: bool, shape: tuple[int, ...]) -> None:
    layer, x = made(case).train(training), torch.zeros(shape, requires_grad=True)
    before = copy.deepcopy(layer.state_dict())
    output, loss = layer(x)
    assert output.shape == x.shape
    assert loss.item() == 0
    (output.sum() + loss).backward()
    assert all(one.grad is None or not one.grad.any() for one in layer.parameters())
    assert all(torch.equal(one, before[name]) for name, one in layer.state_dict().items())
    if layer.has_codebook:
        sizes = tuple(2 if size == DIM else size for size in shape)
        assert layer.weights_of(x, torch.arange(2)).shape == sizes
        with pytest.raises(SvqkitError, match="no position"):
            layer.usage(x)


@every_kind
def test_numbers_that_are_none_of_a_latent_or_a_code_are_refused(case: str) -> None:
    layer, x = made(case), latents()
    if case != "none":
        with pytest.raises(SvqkitError, match=r"floating point, got torch\.int64"):
            layer(x.long())
    for number in (-1, getattr(layer, "codebook_size", 0)):
        with pytest.raises(SvqkitError, match="numbered from 0 to" if layer.has_codebook else "no codebook"):
            layer.weights_of(x, torch.tensor([0, number]))


@every_kind
def test_codes_are_named_by_a_row_of_whole_numbers(case: str) -> None:
    layer, x = made(case), latents()
    if not layer.has_codebook:
        return
    wanted = layer.weights_of(x, torch.arange(3))
    for codes in ([0, 1, 2], range(3), torch.arange(3, dtype=torch.uint8), torch.arange(3, dtype=torch.int32)):
        assert torch.equal(layer.weights_of(x, codes), wanted)
    for nothing in ([], torch.arange(0)):
        assert layer.weights_of(x, nothing).shape == (2, 0, 4, 3)
    for codes in (torch.tensor([0.0, 1.0]), torch.tensor([True, False]), torch.arange(4).view(2, 2), torch.tensor(1)):
        with pytest.raises(SvqkitError, match="a row of whole numbers"):
            layer.weights_of(x, codes)


@both_modes
@every_kind
def test_shapes_come_without_numbers(case: str, training: bool) -> None:
    with torch.device("meta"):
        layer, x = build(CASES[case], DIM), torch.empty(2, DIM, 4, 3)
    assert layer.train(training)(x).output.shape == x.shape


@pytest.mark.parametrize("assign", [True, False], ids=["assign", "to_empty"])
@every_kind
def test_weights_are_loaded_into_a_layer_that_was_made_without(case: str, assign: bool) -> None:
    source = made(case).eval()
    with torch.device("meta"):
        layer = build(CASES[case], DIM)
    if not assign:
        layer.to_empty(device="cpu")
        for one in [*layer.parameters(), *layer.buffers()]:
            one.detach().fill_(1)  # what new memory holds is anything
    layer.load_state_dict(source.state_dict(), assign=assign)
    assert torch.equal(layer.eval()(latents()).output, source(latents()).output)
    if layer.has_codebook:
        assert torch.equal(layer.codes(), source.codes())


@every_kind
def test_a_layer_made_without_memory_has_its_constants_once_it_gets_some(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parameters are then filled by whoever made it, and not loaded."""
    source = made(case).eval()
    with torch.device("meta"):
        layer = build(CASES[case], DIM)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "empty_like", torch.ones_like)  # what new memory holds is anything
        layer.to_empty(device="cpu")
    for name, value in layer.state_dict().items():
        value.copy_(source.state_dict()[name])
    assert torch.equal(layer.eval()(latents()).output, source(latents()).output)
    if layer.has_codebook:
        assert torch.equal(layer.codes(), source.codes())


@every_kind
def test_new_tensors_elsewhere_by_default_change_nothing(case: str) -> None:
    layer, x, numbers = made(case).eval(), latents(), torch.arange(3)
    found = []
    for elsewhere in (nullcontext(), torch.device("meta")):
        with elsewhere:
            found.append([*layer(x)])
            if layer.has_codebook:
                usage = layer.usage(x)
                found[-1] += [layer.codes(), layer.weights_of(x, numbers), usage.strength, *(usage.histogram or ())]
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


@pytest.mark.parametrize("name", ["temperature", "output_relu", "l1"])
def test_a_setting_that_was_changed_since_is_saved_as_it_is(name: str, tmp_path: Path) -> None:
    layer = (Softmax if name == "temperature" else SVQ)(DIM, 40, 8)
    setattr(layer, name, 0.25 if name != "output_relu" else True)
    layer.save_pretrained(tmp_path)
    opened = type(layer).from_pretrained(tmp_path)
    assert getattr(opened, name) == getattr(layer, name)
    assert torch.equal(opened(latents()).output, layer.eval()(latents()).output)
    setattr(layer, name, "much")
    with pytest.raises(SvqkitError, match=name):
        layer.save_pretrained(tmp_path)


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, lambda *part: prune.random_unstructured(*part, 0.5)])
@pytest.mark.parametrize("case", ["svq", "softmax", "lista"])
def test_factors_are_what_an_optimizer_moves_however_they_are_kept(case: str, wrap: Callable) -> None:
    layer, plain = made(case), made(case)
    wrap(layer, "codebook")
    assert all(any(one is given for given in layer.parameters()) for one in layer.factors())
    assert len(layer.factors()) - len(plain.factors()) == len(list(layer.parameters())) - len(list(plain.parameters()))
    before = layer(latents()).output
    before.square().sum().backward()
    torch.optim.SGD(layer.factors(), 0.1).step()
    assert not torch.equal(layer(latents()).output, before)


@every_kind
def test_torch_func_takes_a_module_of_half_precision(case: str) -> None:
    layer, x = made(case).to(torch.bfloat16), latents().to(torch.bfloat16)
    layer.train(not moves(layer))
    weights = seeded(tuple(x.shape), 9, torch.float32)
    found = []
    for one in (layer, copy.deepcopy(layer).float()):
        torch.manual_seed(5)
        given = x.to(next(one.parameters(), x).dtype)
        found.append(grad(lambda x, one=one: (one(x).output.float() * weights).sum())(given))
    torch.testing.assert_close(*(one.float() for one in found), rtol=0.05, atol=0.05)


def test_forward_mode_without_torch_func_is_that_with_it() -> None:
    layer, x = made("svq"), latents()
    values = {name: one.detach() for name, one in layer.named_parameters()}
    tangents = {name: seeded(tuple(one.shape), 8).to(one) for name, one in values.items()}
    wanted = jvp(lambda values: functional_call(layer, values, (x,)).output, (values,), (tangents,))[1]
    with forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(one, tangents[name]) for name, one in values.items()}
        found = forward_ad.unpack_dual(functional_call(layer, duals, (x,)).output).tangent
    same(found, wanted)


@pytest.mark.parametrize("case", ["svq", "svq with ReLU and l1", "vq"])
def test_gradients_by_sample_compile(case: str) -> None:
    layer, x = made(case).eval(), latents(3)
    each = vmap(grad(lambda sample: layer(sample[None]).output.square().sum()))
    torch.compiler.reset()
    same(torch.compile(each, backend="eager", fullgraph=True)(x), each(x))


@every_kind
def test_an_exported_program_is_kept_in_a_file(case: str) -> None:
    """Within a model, for any batch, height and width; of the strict kind too, which sees every line."""
    layer, x = made(case).eval(), latents()
    sizes = ({0: torch.export.Dim("batch"), 2: torch.export.Dim("height"), 3: torch.export.Dim("width")},)
    for strict in (True, False):
        program, file = torch.export.export(layer, (x,), dynamic_shapes=sizes, strict=strict), io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        wide = seeded((3, DIM, 5, 7), 1, torch.float32)
        same(torch.export.load(file).module()(wide).output, layer(wide).output)


class Coarse(Tensor):
    """A weight in steps of 1/8, which knows linear layers and nothing else, as those of torchao are."""

    steps: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "Coarse":
        return torch.Tensor._make_wrapper_subclass(cls, values.shape, dtype=values.dtype)

    def __init__(self, values: Tensor) -> None:
        self.steps = (8 * values.detach()).round()

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["steps"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], *given: object) -> "Coarse":
        return Coarse(parts["steps"] / 8)

    @classmethod
    def __torch_function__(
        cls, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        if function is nn.functional.linear:
            x, weight, bias = args
            return function(x, weight.steps / 8, bias)
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, operation: object, *given: object) -> object:
        if operation is torch.ops.aten.detach.default:
            return given[1][0]
        raise NotImplementedError(operation)


@every_kind
def test_weights_of_a_kind_of_their_own_take_effect(case: str) -> None:
    layer, twin, x = made(case).eval(), made(case).eval(), latents()
    for name, linear in linears(layer).items():
        other = twin.get_submodule(name)
        other.weight.data = (8 * other.weight.data).round() / 8
        linear.weight = nn.Parameter(Coarse(linear.weight), requires_grad=False)
    same(layer(x).output, twin(x).output)
    if layer.has_codebook:
        same(layer.codes(), twin.codes())
        same(layer.usage(x).strength, twin.usage(x).strength)
        same(layer.weights_of(x, torch.arange(3)), twin.weights_of(x, torch.arange(3)))
