"""What a step frees is kept for the next one, and given back at the end."""

import ctypes

import psutil
import pytest
import torch

from svqkit.training import allocation
from svqkit.training.allocation import freed_memory_kept

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="only glibc's malloc can be told so"
)
LARGE = 2**28


def resident() -> int:
    return psutil.Process().memory_info().rss


def use_and_free() -> None:
    torch.ones(LARGE // 4)


def test_freed_memory_stays_inside_and_is_given_back_after() -> None:
    before = resident()
    with freed_memory_kept():
        use_and_free()
        assert resident() - before > LARGE / 2
    assert resident() - before < LARGE / 2


def test_it_nests_and_decorates() -> None:
    @freed_memory_kept()
    def inner() -> int:
        use_and_free()
        return allocation._inside

    before = resident()
    with freed_memory_kept():
        assert inner() == 2
        assert resident() - before > LARGE / 2, "the inner one leaves it to the outer one"
    assert allocation._inside == 0


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        1 / 0  # noqa: B018
    assert allocation._inside == 0


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation.sys, "platform", "darwin")
    monkeypatch.setattr(allocation.ctypes, "CDLL", None)
    with freed_memory_kept():
        use_and_free()
