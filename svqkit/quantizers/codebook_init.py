"""The initial values of a codebook of shape (K, D)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from svqkit.errors import choose


def _sparse(codebook: Tensor) -> Tensor:
    return nn.init.sparse_(codebook, sparsity=0.9)


def _xavier(codebook: Tensor) -> Tensor:
    return nn.init.xavier_uniform_(codebook, gain=nn.init.calculate_gain("relu"))


CODEBOOK_INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "kaiming": nn.init.kaiming_uniform_,
    "xavier": _xavier,
    "sparse": _sparse,
    "trunc_normal": nn.init.trunc_normal_,
    "orthogonal": nn.init.orthogonal_,
    "uniform-random": nn.init.uniform_,
    "normal": nn.init.normal_,
}


def new_codebook(codebook_size: int, dim: int, init: str) -> Tensor:
    """A codebook (codebook_size, dim) by one of the initialisations in ``CODEBOOK_INITS``.

    kaiming: U(−√(6/D), √(6/D)); xavier: U(−a, a), a = √2·√(6/(K + D)); sparse: N(0, 0.01²) with 90 % of each
    column zero; trunc_normal: N(0, 1) cut at ±2; orthogonal: orthonormal rows or columns; uniform-random:
    U(0, 1); normal: N(0, 1), the default of the published configs.

    Raises:
        SvqkitError: unknown ``init``.
    """
    return choose(CODEBOOK_INITS, init, "initialisation of the codebook")(torch.empty(codebook_size, dim))
