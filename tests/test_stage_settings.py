"""The small files of settings that stages depend on: a changed setting changes the files of what reads it, no other."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from svqkit.pipeline import stage_settings
from svqkit.settings.params import load_params

PARAMS = Path(__file__).resolve().parent.parent / "params.yaml"


def files(folder: Path, changes: dict[tuple[str, ...], object], profile: str = "sample") -> dict[str, bytes]:
    """The files for params.yaml with some values changed, by name."""
    tree = YAML(typ="safe").load(PARAMS)
    for (*above, last), value in changes.items():
        branch = tree
        for key in above:
            branch = branch.setdefault(key, {})
        branch[last] = value
    folder.mkdir(exist_ok=True)
    YAML().dump(tree, folder / "params.yaml")
    stage_settings.write(load_params(folder / "params.yaml", profile), folder)
    made = folder / profile
    return {str(path.relative_to(made)): path.read_bytes() for path in made.rglob("*.json")}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files(tmp_path_factory.mktemp("before"), {})


SVQ = ("experiments", "weather_t2m-svq")
RUNS_OF_T2M = {f"training/{name}.json" for name, one in load_params(PARAMS).experiments.items() if "t2m" in one.dataset}


@pytest.mark.parametrize(
    ("place", "value", "changed"),
    [
        ((*SVQ, "training"), {"learning_rate": 0.5}, {"training/weather_t2m-svq.json"}),
        ((*SVQ, "studies"), ["main"], {"scoring/weather_t2m.json", "costs.json"}),
        ((*SVQ, "studies"), ["main", "translators", "codebook_size", "noise"], {"scoring/weather_t2m.json"}),
        (("datasets", "kth", "root"), "/mnt/kth", set()),
        (("datasets", "weather_t2m", "root"), "/mnt/weather", set()),
        ((*SVQ, "seeds"), [7], {"training/weather_t2m-svq.json", "scoring/weather_t2m.json"}),
        (("profiles", "paper", "kth", "training", "epochs"), 3, set()),
        (("profiles", "sample", "weather_t2m", "training", "patience"), 1, RUNS_OF_T2M),
        (("profiles", "sample", "all", "quantizers", "lfq", "codebook_size"), 512,
         {"training/weather_t2m-lfq.json", "training/weather_t2m-lfq-after_translator.json"}),
        (("datasets", "kth", "frames_out"), 40,
         {"data/kth.json", *(f"training/kth-{kind}.json" for kind in ("none", "svq", "svq_frozen"))}),
    ],
)  # fmt: skip
def test_a_setting_changes_the_files_of_what_reads_it(
    place: tuple[str, ...], value: object, changed: set[str], before: dict[str, bytes], tmp_path: Path
) -> None:
    after = files(tmp_path, {place: value})
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == changed


def test_dvc_knows_the_trainings_of_params_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(PARAMS.with_name("trainings.yaml"), tmp_path)
    assert stage_settings.update_trainings(load_params(PARAMS, "paper"), tmp_path / "trainings.yaml") == ""


def test_a_stage_that_dvc_does_not_know_yet_is_added_and_the_command_is_to_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "trainings.yaml"):
        shutil.copy(PARAMS.with_name(name), name)
    with Path("params.yaml").open("a") as file:
        file.write("  mine: {dataset: kth}\n")
    with Path("trainings.yaml").open("a") as file:
        file.write("  ../../evil: kth\n")
    assert stage_settings.main() == 1
    assert "(added: mine; removed: ../../evil). Give the same command again." in capsys.readouterr().err
    assert not Path("build").exists()
    assert YAML(typ="safe").load(Path("trainings.yaml"))["trainings"]["mine"] == "kth"
    assert stage_settings.main() == 0


@pytest.mark.parametrize("root", ["gs://bucket/kth", "there/kth"])
def test_raw_files_are_found_in_one_place_wherever_they_lie(root: str, tmp_path: Path) -> None:
    links, settings = tmp_path / "build/roots", load_params(PARAMS, "sample")
    data = settings.dataset("kth")
    for place in ("first", "second"):
        raw = tmp_path / place / "kth/person01.txt"
        raw.parent.mkdir(parents=True)
        raw.write_text(place)
        stage_settings.link_roots(replace(settings, datasets={"kth": replace(data, root=str(raw.parent))}), links)
        assert (links / "kth/kth/person01.txt").read_text() == place
    stage_settings.link_roots(replace(settings, datasets={"mine": replace(data, root=root)}), links)
    assert not (links / "kth").exists()
    assert (links / "mine/kth").read_text() == root, "what DVC can't look into changes with its name"


def test_what_dvc_writes_into_params_yaml_can_still_be_read(tmp_path: Path) -> None:
    from dvc.utils.hydra import apply_overrides

    path = Path(shutil.copy(PARAMS, tmp_path))
    added = "+experiments.weather_t2m-svq.training.learning_rate=0.001"
    apply_overrides(str(path), ["profiles.sample.taxibj.training.epochs=3", added])
    changed = load_params(path, "sample")
    assert changed.experiment("taxibj-none").training.epochs == 3
    assert changed.experiment("weather_t2m-svq").training.learning_rate == 0.001
    before, after = (set(file.read_text(encoding="utf-8").splitlines()) for file in (PARAMS, path))
    assert len(before - after) < 14, "lines that are not as they were"


def test_a_file_of_an_experiment_that_is_gone_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "sample/training"
    folder.mkdir(parents=True)
    (folder / "old.json").write_text("{}")
    assert "training/old.json" not in files(tmp_path, {})
