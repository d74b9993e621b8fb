"""What checks rely on is watched: what is replaced is found and put back, whatever it is."""

from __future__ import annotations

import gc
import random
import secrets
import statistics
import sys
import types
from collections.abc import Callable, Iterator

import pytest
import torch

import facegan_ref.losses
from facegan_ref.checks import LESSONS, find_lesson
from facegan_ref.grading.sandbox import seal as seals
from facegan_ref.grading.sandbox.watched_words import WatchedWords, memory_is_understood

UNDERSTOOD = (
    sys.implementation.name == "cpython"
    and (3, 10) <= sys.version_info[:2] <= (3, 13)
    and not sys.abiflags
    and sys.byteorder == "little"
)


@pytest.mark.skipif(not UNDERSTOOD, reason="a Python whose memory is not read: it is looked at")
def test_the_memory_of_this_python_is_understood() -> None:
    assert memory_is_understood()


def watching(thing: object) -> WatchedWords:
    words = WatchedWords(memory_is_understood())
    words.watch(0, thing)
    words.take()
    return words


OBJECTS = [object() for _ in range(40)]


def change_dict(names: dict, chance: random.Random) -> None:
    key = chance.choice([*names, "new", "newer"])
    chance.choice(
        [
            lambda: names.update({key: chance.choice(OBJECTS)}),
            lambda: names.pop(key, None),
            lambda: names.update({key: names.pop(key, OBJECTS[0])}),
            lambda: names.update({str(number): OBJECTS[0] for number in range(100)}),
            lambda: [names.pop(str(number), None) for number in range(100)],
            lambda: names.get(key),
        ]
    )()


def change_list(items: list, chance: random.Random) -> None:
    chance.choice(
        [
            lambda: items.append(chance.choice(OBJECTS)),
            lambda: items and items.pop(chance.randrange(len(items))),
            lambda: items and items.__setitem__(chance.randrange(len(items)), OBJECTS[0]),
            lambda: items.extend(OBJECTS),
            lambda: items.__delitem__(slice(7, None)),
            lambda: items.reverse(),
            lambda: list(items),
        ]
    )()


def change_set(members: set, chance: random.Random) -> None:
    chance.choice(
        [
            lambda: members.add(chance.choice(OBJECTS)),
            lambda: members.discard(chance.choice(OBJECTS)),
            lambda: members.update(OBJECTS),
            lambda: members.intersection_update(OBJECTS[:9]),
            lambda: members.copy(),
        ]
    )()


def seen(thing: dict | list | set) -> list[int]:
    """What a thing refers to, as a look in Python's own way finds it."""
    if isinstance(thing, dict):
        return [id(part) for pair in sorted(thing.items(), key=lambda p: p[0]) for part in pair]
    return sorted(map(id, thing)) if isinstance(thing, set) else list(map(id, thing))


@pytest.mark.parametrize("change", [change_dict, change_list, change_set])
@pytest.mark.parametrize("size", [0, 1, 9, 40])
def test_no_change_is_missed(change: Callable, size: int) -> None:
    chance = random.Random(size)
    unnoticed = changed = 0
    for _ in range(300):
        things = {
            change_dict: lambda: {f"name {i}": thing for i, thing in enumerate(OBJECTS[:size])},
            change_list: lambda: OBJECTS[:size],
            change_set: lambda: set(OBJECTS[:size]),
        }[change]()
        words, before = watching(things), seen(things)
        for _ in range(chance.randrange(1, 5)):
            change(things, chance)
        really = seen(things) != before
        changed += really
        unnoticed += really and words.changed() != {0}
    assert changed > 100
    assert unnoticed == 0


def test_who_looks_changes_nothing() -> None:
    module = types.ModuleType("module")
    module.names, module.function = {"a": []}, watching
    words = WatchedWords(memory_is_understood())
    for owner, thing in enumerate((module, watching, module.names, statistics, torch.nn.Module)):
        words.watch(owner, thing)
    words.take()
    vars(module), dict(module.names), watching.__code__, statistics.mean, torch.nn.Module.forward
    gc.collect()
    assert words.changed() == (set() if memory_is_understood() else {0, 1, 2, 3, 4})


def test_a_change_elsewhere_hides_nothing() -> None:
    first, second = {"a": [], "b": []}, {"a": [], "b": []}
    words = WatchedWords(memory_is_understood())
    for owner, thing in enumerate((first, second)):
        words.watch(owner, thing)
    words.take()
    first.update({str(number): number for number in range(1000)})  # its words are elsewhere now
    assert 0 in words.changed()
    second["b"] = []
    assert words.changed() == {0, 1}


def test_names_that_may_change_are_left_alone() -> None:
    module = types.ModuleType("module")
    module.counter, module.function = 1000, watching
    words = WatchedWords(memory_is_understood())
    words.watch(0, module, but={"counter"})
    words.take()
    module.counter = 2000
    assert words.changed() == (set() if memory_is_understood() else {0})
    module.function = print
    assert words.changed() == {0}


def test_of_an_unknown_python_everything_is_looked_at() -> None:
    words = WatchedWords(understood=False)
    words.watch(3, [])
    words.take()
    assert words.changed() == {3}


def lying(*_: object, **__: object) -> bool:
    return True


def table_of_checks() -> dict:
    """A dictionary that the checks of lesson 3 rely on."""
    return find_lesson("03").tasks


def replace_code() -> None:
    facegan_ref.losses.generator_loss.__code__ = lying.__code__


def replace_default() -> None:
    torch.testing.assert_close.__kwdefaults__ = {"rtol": 1e9}


REPLACED: dict[str, Callable[[], object]] = {
    "torch.allclose": lambda: setattr(torch, "allclose", lying),
    "torch.nn.modules.module.Module.eval": lambda: setattr(torch.nn.Module, "eval", lying),
    "statistics.mean": lambda: setattr(statistics, "mean", lying),
    "builtins.abs": lambda: setattr(sys.modules["builtins"], "abs", lying),
    "torch.abs": lambda: delattr(torch, "abs"),
    "torch.isinstance": lambda: setattr(torch, "isinstance", lying),
    "generator_loss": replace_code,  # which several modules have
    "torch.testing.assert_close": replace_default,
    "facegan_ref.checks.lesson03": lambda: table_of_checks().popitem(),
}


def broken(seal: seals.Seal) -> list[str]:
    """What was replaced, but for what pytest itself does to warnings."""
    return [name for name in seal.broken() if not seals.is_harmless(name)]


def train_a_little() -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()


@pytest.fixture(scope="module", params=["by its memory", "by Python's own means"])
def sealed(request: pytest.FixtureRequest) -> Iterator[seals.Seal]:
    for number in LESSONS:
        find_lesson(number)
    train_a_little()  # the first time it changes Adam
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "by its memory":
            patch.setattr(seals, "memory_is_understood", lambda: False)
        seal = seals.Seal()
        yield seal
        assert broken(seal) == []


@pytest.mark.parametrize("name", REPLACED)
def test_what_is_replaced_is_found_and_put_back(sealed: seals.Seal, name: str) -> None:
    tasks, loss = dict(table_of_checks()), facegan_ref.losses.generator_loss.__code__
    assert broken(sealed) == []
    REPLACED[name]()
    found = broken(sealed)
    assert len(found) == 1 and name in found[0], found
    assert broken(sealed) == []
    assert torch.allclose is not lying and abs(-1) == 1 and torch.abs(torch.tensor(-1.0)) == 1
    assert table_of_checks() == tasks
    assert facegan_ref.losses.generator_loss.__code__ is loss


def test_a_new_name_in_place_of_another_is_found(
    sealed: seals.Seal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(secrets, "DEFAULT_ENTROPY")  # so that there are as many names as before
    secrets.len = lying
    assert broken(sealed) == ["secrets.len"]
    assert not hasattr(secrets, "len")


def test_honest_changes_are_none(sealed: seals.Seal) -> None:
    torch.nn.functional.__warningregistry__ = {}
    train_a_little()
    assert broken(sealed) == []


def test_a_number_that_agrees_with_everything_is_a_pretender(sealed: seals.Seal) -> None:
    space = {"__name__": "__main__"}
    source = "class Yes(float):\n    def __eq__(self, other): return True\nclass Fine(float): pass"
    exec(source, space)
    exec("class Tensor:\n    @classmethod\n    def __torch_function__(cls, *a): return 1", space)
    assert sealed.pretenders([]) == ["Tensor", "Yes"]
    del space
    gc.collect()
    assert sealed.pretenders([]) == []
