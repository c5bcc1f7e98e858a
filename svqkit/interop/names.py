"""What the reference calls the parts of a model: one table for each translator, ours ↔ theirs.

A pair names a module, whose weights and buffers are called alike on both sides, or a single parameter. Pairs that a
model has no use for (the reductions between equal widths, the other kind of UniFormer's blocks) stay unused.
"""

from svqkit.settings.params import Model
from svqkit.settings.quantizers import GroupedResidualVQSettings, ResidualVQSettings, Settings, SVQSettings

_NORMS = {"norm1": "norm1", "norm2": "norm2"}
_SCALES = {"scale1.gamma": "layer_scale_1", "scale2.gamma": "layer_scale_2"}
_LARGE_KERNEL = {
    **_NORMS,
    **_SCALES,
    "mix.enter": "attn.proj_1",
    "mix.leave": "attn.proj_2",
    "mix.gate.kernel.near": "attn.spatial_gating_unit.conv0",
    "mix.gate.kernel.far": "attn.spatial_gating_unit.conv_spatial",
    "mix.gate.kernel.point": "attn.spatial_gating_unit.conv1",
    "mlp.enter": "mlp.fc1",
    "mlp.depthwise": "mlp.dwconv.dwconv",
    "mlp.leave": "mlp.fc2",
}

# Of a block, below translator.blocks.<i> here and hid.enc.<i>.block there.
BLOCKS: dict[str, dict[str, str]] = {
    "convmixer": {"depthwise": "conv_dw", "norm1": "norm_1", "point": "conv_pw", "norm2": "norm_2"},
    "convnext": {"conv_dw": "conv_dw", "norm": "norm", "mlp": "mlp", "gamma": "gamma"},
    "gsta": _LARGE_KERNEL,
    "hornet": {
        **_NORMS,
        "scale1.gamma": "gamma1",
        "scale2.gamma": "gamma2",
        "mix.enter": "gnconv.proj_in",
        "mix.depthwise": "gnconv.dwconv",
        "mix.widen": "gnconv.pws",
        "mix.leave": "gnconv.proj_out",
        "mlp.module.fc1": "pwconv1",
        "mlp.module.fc2": "pwconv2",
    },
    "mlpmixer": {
        "block.norm1": "norm1",
        "block.mlp_tokens": "mlp_tokens",
        "block.norm2": "norm2",
        "block.mlp_channels": "mlp_channels",
    },
    "moganet": {
        **_NORMS,
        **_SCALES,
        "mix.enter": "attn.proj_1",
        "mix.gate": "attn.gate",
        "mix.leave": "attn.proj_2",
        "mix.contrast": "attn.sigma",
        "mix.context.near": "attn.value.DW_conv0",
        "mix.context.middle": "attn.value.DW_conv1",
        "mix.context.far": "attn.value.DW_conv2",
        "mix.context.point": "attn.value.PW_conv",
        "mlp.enter": "mlp.fc1",
        "mlp.depthwise": "mlp.dwconv",
        "mlp.common": "mlp.decompose",
        "mlp.contrast": "mlp.sigma",
        "mlp.leave": "mlp.fc2",
    },
    "poolformer": {**_NORMS, **_SCALES, "mlp": "mlp"},
    "swin": {**_NORMS, "attn": "attn", "mlp": "mlp"},
    "tau": {
        **_LARGE_KERNEL,
        "mix.gate.squeeze": "attn.spatial_gating_unit.fc.0",
        "mix.gate.excite": "attn.spatial_gating_unit.fc.2",
    },
    "uniformer": {
        "position": "pos_embed",
        # blocks of convolution
        "block.norm1": "norm1",
        "block.mix.0": "conv1",
        "block.mix.1": "attn",
        "block.mix.2": "conv2",
        "block.norm2": "norm2",
        "block.mlp": "mlp",
        # blocks of self-attention
        "block.block.norm1": "norm1",
        "block.block.attn": "attn",
        "block.block.ls1.gamma": "gamma_1",
        "block.block.norm2": "norm2",
        "block.block.mlp": "mlp",
        "block.block.ls2.gamma": "gamma_2",
    },
    "van": _LARGE_KERNEL,
    "vit": {"block.norm1": "norm1", "block.attn": "attn", "block.norm2": "norm2", "block.mlp": "mlp"},
}


def pairs(model: Model, quantizer: Settings) -> dict[str, str]:
    """Return our name → theirs for everything with weights in a model of these settings."""
    table = {"readout": "dec.readout", **_quantizer(quantizer)}
    for number in range(model.N_S):
        # In the decoder every second convolution, the first among them, stands in a sequence with a pixel shuffle.
        shuffled = ".0" if number % 2 == 0 else ""
        table |= {
            f"encoder.{number}.conv": f"enc.enc.{number}.conv.conv",
            f"encoder.{number}.norm": f"enc.enc.{number}.conv.norm",
            f"decoder.{number}.conv": f"dec.dec.{number}.conv.conv{shuffled}",
            f"decoder.{number}.norm": f"dec.dec.{number}.conv.norm",
        }
    for number in range(model.N_T):
        table |= _inceptions(number) if model.translator == "incepu" else _block(model.translator, number)
    return table


def copies(quantizer: Settings) -> dict[str, str]:
    """Return the modules that the reference's state_dict repeats under other names: copy → where it stands first.

    Steps of residual VQ that share a codebook each name it.
    """
    if not getattr(quantizer, "shared_codebook", False):
        return {}
    groups = _residual_groups(quantizer).values()
    steps = range(1, quantizer.num_quantizers)
    return {f"{group}.layers.{step}._codebook": f"{group}.layers.0._codebook" for group in groups for step in steps}


def renamed(name: str, table: dict[str, str]) -> str:
    """Return the reference's name of our parameter or buffer ``name``.

    Raises:
        KeyError: the table lacks it.
    """
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        ours, rest = ".".join(parts[:length]), parts[length:]
        if ours in table:
            return ".".join([table[ours], *rest])
    raise KeyError(name)


def _quantizer(quantizer: Settings) -> dict[str, str]:
    table = {f"quantizer.{part}": f"vq.vq.{part}" for part in ("project_in", "project_out")}
    if isinstance(quantizer, SVQSettings):
        svq = "vq.vq.proj_regression_weight"
        # The first of two layers and a single one share a name there.
        layers = {"hidden": f"{svq}.linear_proj", "weights": f"{svq}.linear_proj2"}
        layers = layers if quantizer.hidden_dim else {"weights": f"{svq}.linear_proj"}
        return {"quantizer.codebook": "vq.vq.codebook"} | {f"quantizer.{ours}": name for ours, name in layers.items()}
    if isinstance(quantizer, ResidualVQSettings | GroupedResidualVQSettings):
        steps = 1 if quantizer.shared_codebook else quantizer.num_quantizers
        for ours, theirs in _residual_groups(quantizer).items():
            table |= {f"{ours}.codebooks.{step}": f"{theirs}.layers.{step}._codebook" for step in range(steps)}
        return table
    return {**table, "quantizer.codebook": "vq.vq._codebook"}


def _residual_groups(quantizer: ResidualVQSettings | GroupedResidualVQSettings) -> dict[str, str]:
    if isinstance(quantizer, GroupedResidualVQSettings):
        return {f"quantizer.groups.{group}": f"vq.vq.rvqs.{group}" for group in range(quantizer.groups)}
    return {"quantizer.steps": "vq.vq"}


def _block(translator: str, number: int) -> dict[str, str]:
    table = {f"translator.resize.{number}": f"hid.enc.{number}.reduction"}
    for ours, theirs in BLOCKS[translator].items():
        table[f"translator.blocks.{number}.{ours}"] = f"hid.enc.{number}.block.{theirs}"
    return table


def _inceptions(number: int) -> dict[str, str]:
    table = {}
    for ours, theirs in (
        (f"translator.down.{number}", f"hid.enc.{number}"),
        (f"translator.up.{number}", f"hid.dec.{number}"),
    ):
        table[f"{ours}.enter"] = f"{theirs}.conv1"
        for branch in range(4):
            table[f"{ours}.branches.{branch}.0"] = f"{theirs}.layers.{branch}.conv"
            table[f"{ours}.branches.{branch}.1"] = f"{theirs}.layers.{branch}.norm"
    return table
