"""Configs of the reference: what they mean, and files that are read without being run."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openstlcases import SMALL, STEPS, SVQ

from svqkit.errors import SvqkitError
from svqkit.interop.config import MODEL_TYPES, architecture, read_config
from svqkit.settings import quantizers as kinds
from svqkit.settings.params import Model

SHAPE = {"in_shape": [12, 1, 32, 64]}


def with_quantizer(vq_type: Any, vq_kwargs: Any, **changes: Any) -> dict[str, Any]:
    return {**SMALL, "method": "SimVPVQ", "vq_type": vq_type, "vq_kwargs": vq_kwargs, **changes}


def test_missing_keys_take_the_references_defaults() -> None:
    found = architecture(SHAPE)
    assert found.model == Model("gsta", 16, 256, 4, 4, 3, 3, 8.0, 0.0, 0.0)
    assert (found.quantizer, found.in_shape) == (kinds.NoQuantizer(), (12, 1, 32, 64))
    parsers = {"method": "SimVP", "model_type": None, "drop": 0.0, "drop_path": 0.0, "freeze_projection": False}
    assert architecture({**SHAPE, **parsers}) == found


def test_every_key_of_the_model_counts() -> None:
    sizes = {"hid_S": 6, "hid_T": 20, "N_S": 2, "N_T": 5, "spatio_kernel_enc": 5, "spatio_kernel_dec": 7}
    rates = {"mlp_ratio": 3, "drop": 0.1, "drop_path": 0.2, "noise": 0.3}
    found = architecture({**SHAPE, "method": "tau", "model_type": "TAU", **sizes, **rates})
    assert found.model == Model("tau", 6, 20, 2, 5, 5, 7, 3.0, 0.1, 0.2, False, 0.3)


@given(st.sampled_from(sorted(MODEL_TYPES)), st.data())
def test_model_types_are_written_in_any_case(name: str, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from([letter.upper(), letter])) for letter in name)
    assert architecture({**SHAPE, "model_type": written}).model.translator == MODEL_TYPES[name]


@pytest.mark.parametrize("method", ["SimVP", "simvp", "TAU"])
def test_only_simvpvq_has_a_quantizer(method: str) -> None:
    found = architecture({**with_quantizer("svq", SVQ), "method": method, "post_vq": True})
    assert found.quantizer == kinds.NoQuantizer()
    assert not found.model.quantize_after_translator


EMA = {"codebook_size": 8, "decay": 0.8, "commitment_weight": 1.0}
LFQ = {"entropy_loss_weight": 0.1, "commitment_loss_weight": 0.25, "diversity_gamma": 1.0}


FROZEN = {**SVQ, "freeze_codebook": True, "init_method": "trunc", "hid_relu": False, "out_relu": True}
LINEAR = {**SVQ, "nonlinear": False, "out_relu": True, "evaluate_usage": True, "init_method": "random"}
HEADS = {"dim": 8, "codebook_size": 8, "heads": 4, "codebook_dim": 3, "separate_codebook_per_head": True}
SHARED = {**STEPS, "shared_codebook": True, "stochastic_sample_codes": True, "sample_codebook_temp": 0.1}
LEVELS = {"dim": 8, "levels": [8, 5], "num_quantizers": 2}
ONE_EACH = {"num_quantizers": 3, "shared_codebook": False}


@pytest.mark.parametrize(
    ("vq_type", "vq_kwargs", "expected"),
    [
        ("svq", SVQ, kinds.SVQSettings(codebook_size=30, hidden_dim=12, init="normal")),
        ("svq", FROZEN, kinds.SVQSettings("svq", 30, 12, False, True, "trunc_normal", False, True)),
        ("svq", LINEAR, kinds.SVQSettings(codebook_size=30, hidden_dim=0, init="normal", output_relu=False)),
        ("vq", {"dim": 8, "codebook_size": 8}, kinds.VQSettings(**EMA)),
        ("mhvq", {"dim": 8, "codebook_size": 8}, kinds.MultiheadVQSettings(heads=1, codebook_dim=8, **EMA)),
        ("mhvq", HEADS, kinds.MultiheadVQSettings(heads=4, codebook_dim=3, separate_codebooks=True, **EMA)),
        ("rvq", STEPS, kinds.ResidualVQSettings(**ONE_EACH, stochastic=False, temperature=1.0, **EMA)),
        ("rvq", SHARED, kinds.ResidualVQSettings(num_quantizers=3, stochastic=True, temperature=0.1, **EMA)),
        ("grvq", STEPS, kinds.GroupedResidualVQSettings(groups=1, **ONE_EACH, **EMA)),
        ("lfq", {"dim": 8, "codebook_size": 64}, kinds.LFQSettings(codebook_size=64, **LFQ)),
        ("rlfq", STEPS, kinds.ResidualLFQSettings(codebook_size=8, num_quantizers=3, **LFQ)),
        ("rfsq", LEVELS, kinds.ResidualFSQSettings(levels=(8, 5), num_quantizers=2)),
    ],
)
def test_vq_kwargs_with_the_librarys_defaults(vq_type: str, vq_kwargs: dict[str, Any], expected: object) -> None:
    assert architecture(with_quantizer(vq_type, vq_kwargs)).quantizer == expected


def test_a_frozen_projection_stands_beside_vq_kwargs() -> None:
    found = architecture(with_quantizer("svq", SVQ, freeze_projection=True)).quantizer
    assert isinstance(found, kinds.SVQSettings)
    assert not found.learnable_projection


# Among them keys of OpenSTL 0.3 and 1.0, and those that look most like the model's.
OF_A_TRAINING = ["lr", "batch_size", "drop_last", "model_mode", "early_stop_epoch", "gpus", "metric_for_bestckpt"]


@given(st.dictionaries(st.sampled_from(OF_A_TRAINING), st.none() | st.integers() | st.text(max_size=5), min_size=1))
def test_what_only_the_training_needs_changes_nothing_and_is_named(others: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match=f"ignored: {', '.join(sorted(others))}"):
        assert architecture({**SHAPE, **others}) == architecture(SHAPE)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**SHAPE, "hid_s": 8}, r"'hid_s' \(did you mean 'hid_S'\?\)"),
        ({**SHAPE, "lr": 8, "modeltype": "x", "N_SS": 4}, r"'modeltype' \(did you mean 'model_type'.*'N_SS' \(did"),
        ({**SHAPE, "method": "ConvLSTM"}, "Unknown method 'convlstm'.*simvpvq"),
        ({**SHAPE, "model_type": "gst"}, r"Unknown model_type 'gst' \(did you mean 'gsta'\?\)"),
        ({**SHAPE, "hid_S": 7}, "hid_S must be even"),
        ({**SHAPE, "N_S": 3}, "N_S: .*got 3"),
        ({**SHAPE, "N_T": "8"}, "N_T: .*got '8'"),
        ({}, r"(?s)in_shape, \(T, C, H, W\).*got None"),
        ({"in_shape": [12, 1, 32]}, r"(?s)in_shape, .*got \[12, 1, 32\]"),
        ({"in_shape": [12, 1, 32, 6.4]}, "(?s)in_shape, .*6.4"),
        ({"in_shape": [12, 1, 0, 64]}, "(?s)in_shape, .*got 0"),
        (with_quantizer("svqq", SVQ), r"Unknown vq_type 'svqq' \(did you mean 'svq'\?\)"),
        (with_quantizer("svq", None), "vq_kwargs must be a mapping with .*input_dim.*got None"),
        (with_quantizer("svq", {**SVQ, "midim": 3}), r"unknown key 'midim' \(did you mean 'middim'\?\)"),
        (with_quantizer("svq", {"input_dim": 8}), "'codebook_size' is missing; 'freeze_codebook' is missing"),
        (with_quantizer("svq", {**SVQ, "input_dim": 9}), "input_dim must be hid_S = 8, .*got 9"),
        (with_quantizer("svq", {**SVQ, "init_method": "zeros"}), "Unknown init_method 'zeros'"),
        (with_quantizer("vq", {"dim": 8, "codebook_size": 0}), "codebook_size: .*got 0"),
        (with_quantizer("lfq", {"dim": 8, "codebook_size": 48}), "power of two"),
        (with_quantizer("rvq", {"dim": 8, "codebook_size": 8}), "'num_quantizers' is missing"),
    ],
)
def test_what_does_not_fit_is_said(config: dict[str, Any], said: str) -> None:
    with pytest.raises(SvqkitError, match=said):
        architecture(config)


def written(folder: Path, text: str, name: str = "config.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_python_config_is_its_assignments(tmp_path: Path) -> None:
    text = '"""A docstring."""\nmethod = \'SimVPVQ\'  # a comment\nhid_S = 32\nlr = 5e-3/2\nfrozen = False\n'
    text += "vq_kwargs = {'input_dim': hid_S, 'levels': (8, -5), 'more': {'a': [hid_S, frozen], 'b': None}}\n"
    assert read_config(written(tmp_path, text)) == {
        "method": "SimVPVQ",
        "hid_S": 32,
        "lr": 0.0025,
        "frozen": False,
        "vq_kwargs": {"input_dim": 32, "levels": [8, -5], "more": {"a": [32, False], "b": None}},
    }


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**9) | st.floats(0, 1e9) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
CONFIGS = st.dictionaries(st.from_regex(r"[a-z_]{1,8}x", fullmatch=True), PLAIN, max_size=4)


@given(CONFIGS)
def test_values_are_read_back_as_they_were_written(config: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        python = "".join(f"{key} = {value!r}\n" for key, value in config.items())
        assert read_config(written(Path(folder), python)) == config
        assert read_config(written(Path(folder), json.dumps(config), "config.json")) == config


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "x = open('made', 'w')",
        "x = __import__('os').system('touch made')",
        "x = unknown",
        "x = hid_S.real",
        "x = 'a' * 3",
        "x = 1 / 0",
        "x = {1, 2}",
        "x = b'a'",
        "x = 2 ** 3",
        "x = [y for y in (1, 2)]",
        "x = {**{}}",
        "x = {[1]: 2}",
        "x = dict(**{})",
        "x = dict([])",
        "x += 1",
        "a.b = 1",
        "a, b = 1, 2",
        "print(1)",
        "x = f'{1}'",
        "if True:\n    x = 1",
    ],
)
def test_a_config_is_never_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, f"hid_S = 1\n{line}\n")
    with pytest.raises(SvqkitError, match=r"config\.py, line 2: .* is not read\. A config is never run"):
        read_config(path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.py"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("config.py", "x = = 1", "can't be read: invalid syntax"),
        ("config.json", "{", "not valid JSON"),
        ("config.json", "[1]", "must hold one object of keys and values, got list"),
    ],
)
def test_a_config_that_is_none_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match=said):
        read_config(written(tmp_path, text, name))


def test_a_config_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="can't be read"):
        read_config(tmp_path / "none.py")
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SvqkitError, match=r"bytes\.py"):
        read_config(tmp_path / "bytes.py")
