"""Translators: the hidden part of SimVP, which mixes time (as channels) and space. One file for each.

The registry is ``svqkit.settings.params.TRANSLATORS``. A translator is a module made from
``(settings, channels, size)`` that maps (B, channels, H', W') to the same shape; most are a row of blocks, see
:mod:`.metaformer`.
"""

from pkgutil import resolve_name

from torch import nn

from svqkit.errors import choose
from svqkit.models.longitude import wrap_longitude
from svqkit.settings.params import TRANSLATORS, Model


def build(settings: Model, channels: int, size: tuple[int, int]) -> nn.Module:
    """Return the translator that ``settings`` name, for T·hid_S ``channels`` on latents of ``size`` (H', W')."""
    translator = resolve_name(choose(TRANSLATORS, settings.translator, "translator"))(settings, channels, size)
    if settings.longitude == "wrap":
        wrap_longitude(translator)
    return translator
