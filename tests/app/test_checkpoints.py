"""Which generators visitors can choose, and that they reach no other file."""

from __future__ import annotations

import shutil

import pytest

from facegan_ref.app import checkpoints
from facegan_ref.app.checkpoints import CannotShow, Checkpoints, offered
from facegan_ref.checkpoint import CheckpointError
from facegan_ref.run import load_generator


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path / "none.safetensors")


def test_a_folder_offers_its_runs_and_generators(runs):
    names = list(offered(folders=[runs]))
    assert names == [
        "exported", f"{runs.name}/noise.pt", "normal", "not-numbers", "torn", "uniform"
    ]  # fmt: skip


def test_the_best_checkpoint_is_a_choice_too(runs, tmp_path):
    run = shutil.copytree(runs / "normal", tmp_path / "runs" / "mine")
    shutil.copy(run / "last.pt", run / "best.pt")
    assert list(offered(folders=[run.parent])) == ["mine", "mine/best.pt"]


def test_runs_come_by_name_and_each_name_once(runs):
    same = offered([runs / "normal", runs / "normal", runs / "uniform" / "last.pt"])
    assert list(same) == ["normal", "normal (2)", "uniform/last.pt"]


def test_the_packages_own_generator_is_last(runs, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHIPPED", runs / "exported.safetensors")
    assert list(offered([runs / "normal"])) == ["normal", checkpoints.SHIPPED_NAME]
    assert list(offered()) == [checkpoints.SHIPPED_NAME]
    assert list(offered()) and Checkpoints(offered()).load(checkpoints.SHIPPED_NAME).recipe


def test_what_the_owner_names_must_be_there(runs, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such run"):
        offered([tmp_path / "gone"])
    with pytest.raises(ValueError, match="use --runs"):
        offered([runs])
    with pytest.raises(FileNotFoundError, match="no such folder"):
        offered(folders=[tmp_path / "gone"])
    with pytest.raises(ValueError, match="holds no run"):
        offered(folders=[tmp_path])


@pytest.mark.parametrize(
    "name",
    [None, 3, "", "uniform", "../runs/uniform", "/etc/passwd", ["normal"], {"path": "/etc/passwd"}],
)
def test_only_names_on_the_list_are_opened(runs, name):
    offers = Checkpoints(offered([runs / "normal"]))
    with pytest.raises(CannotShow, match="no such generator"):
        offers.load(str(runs / "uniform") if name == "uniform" else name)


def test_a_server_without_generators_says_what_to_do():
    with pytest.raises(CannotShow, match="facegan train"):
        Checkpoints({}).load("anything")


@pytest.mark.parametrize("name", ["torn", "noise.pt", "not-numbers"])
def test_what_is_wrong_is_said_without_where_it_lies(runs, name):
    offers = Checkpoints(offered(folders=[runs]))
    full = next(each for each in offers.names if each.endswith(name))
    with pytest.raises(CannotShow) as error:
        offers.load(full)
    assert f"“{full}” can't be shown: " in str(error.value)
    assert str(runs) not in str(error.value) and "Choose another" in str(error.value)


def test_surprises_are_no_end_of_the_server(runs, monkeypatch):
    def burst(path):
        raise MemoryError("0xdeadbeef")

    monkeypatch.setattr(checkpoints, "load_generator", burst)
    with pytest.raises(CannotShow, match="can't be shown: MemoryError") as error:
        Checkpoints(offered([runs / "normal"])).load("normal")
    assert "0xdeadbeef" not in str(error.value)


def test_a_generator_is_read_once_and_again_when_it_changed(runs, tmp_path, monkeypatch):
    run = shutil.copytree(runs / "normal", tmp_path / "mine")
    read = []
    monkeypatch.setattr(
        checkpoints, "load_generator", lambda path: read.append(path) or load_generator(path)
    )
    offers = Checkpoints(offered([run]))
    first = offers.load("mine")
    assert offers.load("mine") is first and len(read) == 1
    shutil.copy(runs / "uniform" / "last.pt", run / "last.pt")
    assert offers.load("mine").recipe.name == "cube" and len(read) == 2
    (run / "last.pt").unlink()
    with pytest.raises(CannotShow, match="no such checkpoint"):
        offers.load("mine")


def test_memory_holds_a_few_generators_only(runs, monkeypatch):
    monkeypatch.setattr(checkpoints, "MOST_LOADED", 1)
    offers = Checkpoints(offered([runs / "normal", runs / "uniform"]))
    first = offers.load("normal")
    offers.load("uniform")
    assert offers.load("normal") is not first


def test_attributes_come_strongest_first_without_judgements(runs):
    loaded = Checkpoints(offered([runs / "normal"])).load("normal")
    assert [attribute.name for attribute in loaded.attributes] == ["Smiling", "Wavy_Hair"]
    assert loaded.attributes[1].besides == "Smiling +80"
    assert loaded.attributes[0].reach == 3.0


def test_directions_must_be_the_generators_own(runs, tmp_path):
    run = shutil.copytree(runs / "uniform", tmp_path / "mine")
    assert "facegan directions" in Checkpoints(offered([run])).load("mine").why_none
    shutil.copy(runs / "normal" / "directions.json", run / "directions.json")
    loaded = Checkpoints(offered([run])).load("mine")
    assert not loaded.attributes and "another one" in loaded.why_none
    (run / "directions.json").write_text("{")
    assert "damaged" in Checkpoints(offered([run])).load("mine").why_none


def test_directions_of_one_of_several_files_carry_its_name(runs, tmp_path):
    shutil.copy(runs / "normal" / "last.pt", tmp_path / "a.pt")
    shutil.copy(runs / "uniform" / "last.pt", tmp_path / "b.pt")
    shutil.copy(runs / "normal" / "directions.json", tmp_path / "a.directions.json")
    offers = Checkpoints(offered([tmp_path / "a.pt", tmp_path / "b.pt"]))
    first, second = (offers.load(name) for name in offers.names)
    assert len(first.attributes) == 2 and not second.attributes


def test_a_damaged_file_is_a_checkpoint_error_first(runs):
    with pytest.raises(CheckpointError):
        load_generator(runs / "torn.safetensors")
