"""What the reference calls the parts of a model: patterns of our names → theirs, for whole parts between dots.

They are applied one after the other, those of the quantizer and the translator before :data:`COMMON`; what none of
them matches is called alike on both sides.
"""

import re

from svqkit.settings.quantizers import Settings, SVQSettings

COMMON = {
    r"^readout": "dec.readout",
    r"^encoder\.(\d+)": r"enc.enc.\1.conv",
    # In the decoder every second convolution, the first among them, stands in a sequence with a pixel shuffle.
    r"^decoder\.(\d*[02468])\.conv": r"dec.dec.\1.conv.conv.0",
    r"^decoder\.(\d+)": r"dec.dec.\1.conv",
    r"^quantizer": "vq.vq",
    r"^translator\.resize\.(\d+)": r"hid.enc.\1.reduction",
    r"^translator\.blocks\.(\d+)(\.block)*": r"hid.enc.\1.block",
    r"^translator\.down": "hid.enc",
    r"^translator\.up": "hid.dec",
    r"scale(\d)\.gamma": r"layer_scale_\1",
    r"mix\.enter": "attn.proj_1",
    r"mix\.leave": "attn.proj_2",
    r"mlp\.enter": "mlp.fc1",
    r"mlp\.leave": "mlp.fc2",
}
_LARGE_KERNEL = {
    r"mix\.gate\.kernel\.near": "attn.spatial_gating_unit.conv0",
    r"mix\.gate\.kernel\.far": "attn.spatial_gating_unit.conv_spatial",
    r"mix\.gate\.kernel\.point": "attn.spatial_gating_unit.conv1",
    r"mlp\.depthwise": "mlp.dwconv.dwconv",
}
TRANSLATORS: dict[str, dict[str, str]] = {
    "convmixer": {r"depthwise": "conv_dw", r"norm(\d)": r"norm_\1", r"point": "conv_pw"},
    "gsta": _LARGE_KERNEL,
    "hornet": {
        r"scale(\d)\.gamma": r"gamma\1",
        r"mix\.enter": "gnconv.proj_in",
        r"mix\.depthwise": "gnconv.dwconv",
        r"mix\.widen": "gnconv.pws",
        r"mix\.leave": "gnconv.proj_out",
        r"mlp\.module\.fc(\d)": r"pwconv\1",
    },
    "incepu": {r"enter": "conv1", r"branches\.(\d)\.0": r"layers.\1.conv", r"branches\.(\d)\.1": r"layers.\1.norm"},
    "moganet": {
        r"mix\.gate": "attn.gate",
        r"mix\.contrast": "attn.sigma",
        r"mix\.context\.near": "attn.value.DW_conv0",
        r"mix\.context\.middle": "attn.value.DW_conv1",
        r"mix\.context\.far": "attn.value.DW_conv2",
        r"mix\.context\.point": "attn.value.PW_conv",
        r"mlp\.depthwise": "mlp.dwconv",
        r"mlp\.common": "mlp.decompose",
        r"mlp\.contrast": "mlp.sigma",
    },
    "tau": {
        **_LARGE_KERNEL,
        r"mix\.gate\.squeeze": "attn.spatial_gating_unit.fc.0",
        r"mix\.gate\.excite": "attn.spatial_gating_unit.fc.2",
    },
    "uniformer": {
        r"position": "pos_embed",
        r"mix\.0": "conv1",
        r"mix\.1": "attn",
        r"mix\.2": "conv2",
        r"ls(\d)\.gamma": r"gamma_\1",
    },
    "van": _LARGE_KERNEL,
}
CODEBOOKS = {
    r"quantizer\.steps": "quantizer",
    r"quantizer\.groups": "quantizer.rvqs",
    r"codebooks\.(\d+)": r"layers.\1._codebook",
    r"codebook": "_codebook",
}


def renamed(name: str, translator: str, quantizer: Settings) -> str:
    """Return the reference's name of our parameter or buffer ``name``."""
    layers = CODEBOOKS
    if isinstance(quantizer, SVQSettings):
        # The first of two layers and a single one share a name there.
        first = "quantizer.proj_regression_weight.linear_proj"
        layers = {r"quantizer\.hidden": first, r"quantizer\.weights": f"{first}2" if quantizer.hidden_dim else first}
    for ours, theirs in (*layers.items(), *TRANSLATORS.get(translator, {}).items(), *COMMON.items()):
        name = re.sub(rf"(?<![^.]){ours}(?![^.])", theirs, name)
    return name
