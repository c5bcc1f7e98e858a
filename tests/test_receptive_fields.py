"""Receptive fields of translators: reaches derived by hand, the picture, and docs/translators.md."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from svqkit import plots
from svqkit.models import translators
from svqkit.models.receptive_field import receptive_field, receptive_fields, untrained
from svqkit.models.translators.anatomy import ANATOMY
from svqkit.settings.params import TRANSLATORS, Model, load_params

DOCUMENT = Path(__file__).parents[1] / "docs/translators.md"
SMALL = Model(hid_S=8, hid_T=16, N_T=3, mlp_ratio=2.0)
CHANNELS, SIZE = 24, (31, 33)
MIDDLE = (15, 16)
ours = pytest.mark.parametrize("name", sorted(ANATOMY))

# How far the middle block reaches from the place in the middle: rows up and down, columns to the left and right.
REACH = {
    "convnext": [3, 3, 3, 3],
    "convmixer": [5, 5, 5, 5],
    "hornet": [3, 3, 3, 3],
    "gsta": [2 + 3 * 3 + 1] * 4,
    "van": [2 + 3 * 3 + 1] * 4,
    # The middle block is the second of three, whose windows of 4 begin at row 2 and so at row 14; at column 14 too.
    "swin": [1, 2, 2, 1],
}


def small(name: str) -> Model:
    return replace(SMALL, translator=name)


def gradient_of(module: nn.Module, channels: int, size: tuple[int, int]) -> np.ndarray:
    random = torch.Generator().manual_seed(0)
    return receptive_field(module, torch.randn(2, channels, *size, generator=random), random)


def test_of_one_convolution_it_is_its_weights() -> None:
    convolution = nn.Conv2d(2, 1, 3, padding=1)
    with torch.no_grad():
        convolution.weight.copy_(torch.arange(-9.0, 9.0).view(1, 2, 3, 3))
    field = gradient_of(convolution, 2, (5, 7))
    expected = np.zeros((5, 7))
    # |−9 … −1| and |0 … 8|, and their mean
    expected[1:4, 2:5] = (np.arange(9, 0, -1) + np.arange(9)).reshape(3, 3) / 2
    np.testing.assert_allclose(field, expected)


def test_it_is_the_mean_over_samples_of_a_drawn_channel() -> None:
    # The output's channels are 1 and 3 times the input's only channel: a mean over many lies at about 2.
    scaled = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        scaled.weight.copy_(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1))
    random = torch.Generator().manual_seed(0)
    field = receptive_field(scaled, torch.zeros(400, 1, 3, 3), random)
    assert field[1, 1] == pytest.approx(2, abs=0.2)
    assert np.count_nonzero(field) == 1


def test_a_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    module[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    gradient_of(module, 2, (3, 3))
    assert module.training
    assert [parameter.requires_grad for parameter in module.parameters()] == [True, False, True, True]
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


@ours
def test_a_block_reaches_as_far_as_derived_by_hand(name: str) -> None:
    fields = receptive_fields(untrained(small(name), CHANNELS, SIZE), CHANNELS, SIZE, samples=2)
    block, whole = fields["block"], fields["translator"]
    assert block.shape == whole.shape == SIZE
    assert (block >= 0).all()
    assert block[MIDDLE] > 0
    assert np.isfinite(whole).all()
    if name in REACH:
        rows, columns = np.nonzero(block.any(1))[0], np.nonzero(block.any(0))[0]
        reach = [MIDDLE[0] - rows[0], rows[-1] - MIDDLE[0], MIDDLE[1] - columns[0], columns[-1] - MIDDLE[1]]
        assert reach == REACH[name]
        assert block[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "without holes"
        assert np.count_nonzero(whole) > np.count_nonzero(block)
    else:
        assert block.all(), "sees the whole map"


@ours
def test_only_small_scales_and_statistics_differ_from_a_fresh_translator(name: str) -> None:
    drawn = torch.random.get_rng_state()
    found = untrained(small(name), CHANNELS, SIZE, seed=5)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    torch.manual_seed(5)
    fresh = translators.build(small(name), CHANNELS, SIZE)
    ends = ("gamma", "contrast")
    for (key, one), other in zip(found.named_parameters(), fresh.parameters(), strict=True):
        if key.endswith(ends):
            assert (one == 1).all()
            assert (other < 0.1).all()
        else:
            assert torch.equal(one, other)
    scaled = {"convnext", "gsta", "hornet", "moganet", "poolformer", "tau", "uniformer", "van"}
    assert any(key.endswith(ends) for key, _ in found.named_parameters()) == (name in scaled)
    assert not found.training


def test_the_same_seed_gives_the_same_field() -> None:
    translator = untrained(small("vit"), CHANNELS, (4, 6))
    one, two, other = (receptive_fields(translator, CHANNELS, (4, 6), 2, seed)["translator"] for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def drawn(*names: str) -> list:
    """The axes of a figure of ``names``, whose fields are 2 in the middle, 1 beside it and 0 elsewhere."""
    field = np.zeros((4, 8))
    field[2, 4], field[2, 5] = 2, 1
    fields = {name: {"block": field, "translator": field + 1e-9} for name in names}
    return plots.receptive_fields_figure(fields, dict.fromkeys(names, 1_250_000), "A title").axes


def test_colours_are_relative_and_grey_means_never() -> None:
    above, below, _ = drawn("convnext")
    shown = above.images[0].get_array()
    assert shown[2, 4] == 1
    assert shown[2, 5] == 0.5
    assert int(shown.mask.sum()) == 30
    assert not np.ma.getmaskarray(below.images[0].get_array()).any()
    assert above.get_title("left").splitlines() == ["CONVOLUTION", "convnext  1.2 M"]
    assert below.get_xlabel().splitlines() == ["depthwise 7×7", "LayerNorm · MLP"]


def test_families_stand_together_and_a_new_translator_at_the_end() -> None:
    titles = [axes.get_title("left").splitlines() for axes in drawn("mine", *reversed(ANATOMY))]
    assert [title[1].split()[0] for title in titles if title] == [*ANATOMY, "mine"]
    families = [title[0] for title in titles if title]
    assert list(dict.fromkeys(families)) == ["CONVOLUTION", "ATTENTION", "MLP AND POOLING", "OTHERS"]
    assert families == sorted(families, key=["CONVOLUTION", "ATTENTION", "MLP AND POOLING", "OTHERS"].index)


def test_every_translator_of_the_kit_is_described() -> None:
    assert set(ANATOMY) <= set(TRANSLATORS)
    assert len(ANATOMY) == 13


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of the document, without its two top lines."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {heading}\n")[1]
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE).group().splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if "--" not in line]


def test_the_document_describes_what_the_figure_does() -> None:
    rows = {row[0]: row[1:] for row in table("What they are made of")[1:]}
    assert list(rows) == list(ANATOMY)
    for name, (family, mixes, norm, mlp, drop_path, any_size) in rows.items():
        about = ANATOMY[name]
        assert (family, mixes, norm, mlp) == (about.family, about.mixes, about.norm, about.mlp)
        model = translators.build(replace(small(name), drop_path=0.5), CHANNELS, (5, 6))
        assert drop_path == ("yes" if any("DropPath" in type(layer).__name__ for layer in model.modules()) else "no")
        assert any_size == ("no" if name == "mlpmixer" else "yes")


def test_the_document_counts_parameters_as_the_kit_does() -> None:
    (_, *datasets), *rows = table("How large they are")
    paper = load_params("params.yaml", "paper")
    assert datasets == list(paper.datasets)
    assert [name for name, *_ in rows] == list(ANATOMY)
    sizes = {"kth": (64, 64), "kitticaltech": (64, 80), "human": (64, 64), "taxibj": (16, 16)}
    for name, *counts in rows:
        for dataset, count in zip(datasets, counts, strict=True):
            about = paper.of_dataset(dataset)[0]
            channels = about.data.frames_in * about.model.hid_S
            settings = replace(about.model, translator=name)
            with torch.device("meta"):
                model = translators.build(settings, channels, sizes.get(dataset, (16, 32)))
            assert f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.2f}" == count
