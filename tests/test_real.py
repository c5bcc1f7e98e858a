"""Measured data: fetched and held against a digest, or copied; never half there, never another file."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from svqkit.data import real
from svqkit.data.real import PUBLISHED, Published
from svqkit.data.sources import plan
from svqkit.errors import SvqkitError
from svqkit.settings.params import load_params

ROOT = Path(__file__).resolve().parents[1]
CONTENT = b"GRIB" * 1000
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    (served / "a.grib").write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=served))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def publish(monkeypatch: pytest.MonkeyPatch, url: str, content: bytes = CONTENT) -> None:
    digests = {"a.grib": hashlib.sha256(content).hexdigest()} if url else {}
    monkeypatch.setattr(real, "PUBLISHED", {"mine": Published("copies", "some terms", url, digests)})


def copies_of(folder: Path) -> Path:
    (folder / "copies" / "deeper").mkdir(parents=True)
    (folder / "copies" / "deeper" / "b.nc").write_bytes(b"other")
    (folder / "copies").chmod(0o555)
    return folder


def test_a_file_is_fetched_once(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, address)
    assert real.put_in_place(tmp_path / "real", tmp_path) == []
    assert (tmp_path / "real" / "mine" / "a.grib").read_bytes() == CONTENT
    publish(monkeypatch, NOWHERE)  # what is whole is not asked for again
    assert real.put_in_place(tmp_path / "real", tmp_path) == []


def test_another_file_than_the_measured_one_is_refused(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, address, b"what was measured")
    with pytest.raises(SvqkitError, match="is not the file that was measured"):
        real.put_in_place(tmp_path / "real", tmp_path)
    assert not list((tmp_path / "real").rglob("*.grib"))


@pytest.mark.parametrize("url", [NOWHERE, ""], ids=["no network", "no address"])
def test_a_copy_serves_where_nothing_can_be_fetched(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, url)
    (lacking,) = real.put_in_place(tmp_path / "real", tmp_path)
    assert "some terms" in lacking
    assert real.put_in_place(tmp_path / "real", copies_of(tmp_path)) == []
    assert (tmp_path / "real" / "mine" / "deeper" / "b.nc").read_bytes() == b"other"


def test_what_is_fetched_takes_the_place_of_a_copy(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, NOWHERE)
    real.put_in_place(tmp_path / "real", copies_of(tmp_path))
    publish(monkeypatch, address)
    real.put_in_place(tmp_path / "real", tmp_path)
    assert [path.name for path in (tmp_path / "real" / "mine").iterdir()] == ["a.grib"]


def test_every_dataset_of_profile_real_has_a_source() -> None:
    roots = {Path(data.root) for data in load_params(ROOT / "params.yaml", "real").datasets.values()}
    assert roots == {Path("real") / name for name in PUBLISHED}


@pytest.mark.parametrize(
    ("dataset", "shape", "windows"),
    [("era5_uk", (1, 32, 48), (457, 73, 145)), ("kth_walking", (1, 64, 64), (245, 45, 157)),
     ("nyc_bike", (2, 16, 8), (929, 89, 233))],
)  # fmt: skip
def test_the_copies_are_read_as_they_are(
    dataset: str, shape: tuple[int, ...], windows: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copies = ROOT.parent / "shared" / "data"
    if not copies.is_dir():
        pytest.skip("no copies of the measured data here")
    monkeypatch.chdir(tmp_path)
    real.put_in_place(Path("real"), copies)
    planned = plan(load_params(ROOT / "params.yaml", "real").dataset(dataset))
    assert planned.frame_shape == shape
    assert tuple(len(starts) for starts in planned.windows["clean"].starts.values()) == windows
