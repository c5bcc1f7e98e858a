"""What single codes decode to, and where they are strongest."""

from pathlib import Path

import numpy as np
import pytest
import torch
import untrained
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rawfiles import LAT as RAW_LAT
from rawfiles import LON as RAW_LON
from rawfiles import RawFiles

from svqkit import evaluation
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.codebook import decode_codes, sample_frames, strongest_cells
from svqkit.settings.params import Data
from svqkit.settings.quantizers import MultiheadVQSettings, NoQuantizer, Quantizer, SVQSettings, VQSettings
from svqkit.training.paths import store_path
from svqkit.training.runs import Run


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_the_strongest_cell_is_the_largest_in_size(seed: int, rows: int, columns: int) -> None:
    values = np.random.default_rng(seed).normal(size=(3, rows, columns))
    for code, (row, column) in enumerate(strongest_cells(xr.DataArray(values, dims=("code", "lat", "lon")))):
        assert abs(values[code, row, column]) == np.abs(values[code]).max()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    files = RawFiles(tmp_path_factory.mktemp("raw"))
    files.write("t2m")
    return files.data(variables=("t2m",), frames_in=3, frames_out=5)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def store(data: Data, project: Path) -> Store:
    return prepare(data, store_path("sample", "tiny", project / "stores"))


def a_run(project: Path, data: Data, store: Store, quantizer: Quantizer, after: bool = False) -> Run:
    name = f"tiny-{quantizer.name}" + "-after_translator" * after
    return untrained.a_run(project / "runs/sample/tiny", data, store, quantizer, name=name, after=after)


SVQ = SVQSettings(codebook_size=12, hidden_dim=6)


@pytest.mark.parametrize("after", [False, True])
def test_a_code_decodes_to_what_adding_it_by_hand_changes(project: Path, data: Data, store: Store, after: bool) -> None:
    """Put into the middle of SimVP step by step, without the hook; the forecast of 5 frames takes two passes of 3."""
    run = a_run(project, data, store, SVQ, after)
    model, frames = run.model().double(), sample_frames(store, 2).double()
    weights = model.quantizer.weights_of(model.latents(frames), torch.tensor([7])).detach()
    added = weights.std(correction=0) * model.quantizer.codes()[7].double()[:, None, None]

    def forecast(change: torch.Tensor) -> torch.Tensor:
        seen, made = frames, []
        for _ in range(2):
            latent, skip = model._encode(model._pad(seen.flatten(0, 1)))
            if not model.post:
                latent = model.quantizer(latent).output + change
            latent = model._translate(latent, len(seen))
            if model.post:
                latent = model.quantizer(latent).output + change
            seen = model._decode(latent, skip).reshape(seen.shape)
            made.append(seen)
        return torch.cat(made, 1)[:, :5]

    with torch.no_grad():
        expected = (forecast(added) - forecast(torch.zeros(()))).mean(0)[:, 0] * float(store.statistics()[1][0])
    found = decode_codes(run, store, [7])
    assert found.dims == ("code", "channel", "lead", "lat", "lon")
    assert np.allclose(found[0, 0], expected, rtol=1e-4, atol=1e-7)
    assert found["lead"].to_numpy().tolist() == [1, 2, 3, 4, 5]
    assert found["unit"].item() == "K"
    assert float(abs(found).max()) > 0


def test_a_code_that_is_nowhere_used_decodes_to_nothing(project: Path, data: Data, store: Store) -> None:
    run = a_run(project, data, store, VQSettings(codebook_size=64))
    usage = evaluation.codebook_usage(run, store)
    used, dead = int(usage.share.argmax()), int((usage.share == 0).nonzero()[0])
    found = abs(decode_codes(run, store, [used, dead])).max(("channel", "lead", "lat", "lon"))
    assert float(found[1]) == 0 < float(found[0])


def test_a_code_in_one_place_is_another_than_everywhere(project: Path, data: Data, store: Store) -> None:
    run = a_run(project, data, store, SVQ)
    everywhere, first_cell, other_cell = (decode_codes(run, store, [3], at) for at in (None, [(0, 0)], [(1, 2)]))
    assert not np.allclose(everywhere, first_cell)
    assert not np.allclose(first_cell, other_cell)
    assert decode_codes(run, store, [1, 3])[1].equals(everywhere[0]), "looking at codes leaves no trace"


@pytest.mark.parametrize(
    ("quantizer", "codes", "at", "words"),
    [
        (NoQuantizer(), [0], None, "has no codebook"),
        (MultiheadVQSettings(codebook_size=8, heads=2, codebook_dim=4), [0], None, "no latent vector"),
        (SVQ, [12], None, "no code 12; it has 0 to 11"),
        (SVQ, [], None, "none asked for"),
        (SVQ, [0, 1], [(0, 0)], "2 codes and 1 cells"),
        (SVQ, [0], [(2, 0)], r"maps of 2 × 3: there is no cell \(2, 0\)"),
    ],
)
def test_what_can_not_be_decoded_is_said(
    project: Path, data: Data, store: Store, quantizer: Quantizer, codes: list, at: list | None, words: str
) -> None:
    assert (len(RAW_LAT), len(RAW_LON)) == (4, 6)
    with pytest.raises(SvqkitError, match=words):
        decode_codes(a_run(project, data, store, quantizer), store, codes, at)
