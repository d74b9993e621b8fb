"""`facegan app` as its owner calls it, and the folder of the hosted Space."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from facegan_ref import cli
from facegan_ref.grading.publish import WriteAddress

ROOT = Path(__file__).parents[2]


def facegan(monkeypatch, capsys, *arguments: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["facegan", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, capsys.readouterr().err


def test_without_gradio_it_says_how_to_get_it(runs, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("facegan_ref.app.")]:
        if name.endswith((".server", ".page")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    code, said = facegan(monkeypatch, capsys, "app", runs / "normal")
    assert code == 1 and "pip install 'facegan-course[app]'" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gone",), "gone: no such run or generator"),
        (("--runs", "gone"), "gone: no such folder"),
        (("--port", "99999"), "--port"),
    ],
)
def test_mistakes_of_the_owner_end_in_one_line(arguments, says, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, said = facegan(monkeypatch, capsys, "app", *arguments)
    assert code == 2 and says in said and "Traceback" not in said


def test_the_space_says_what_hosts_ask_for():
    text = (ROOT / "space" / "README.md").read_text(encoding="utf-8")
    facts = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    assert facts["sdk"] == "gradio" and (ROOT / "space" / facts["app_file"]).is_file()
    assert len(facts["short_description"]) <= 60
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    least = re.search(r'"gradio>=(\d+)', project)
    assert least and int(facts["sdk_version"].split(".")[0]) >= int(least[1])
    wanted = (ROOT / "space" / "requirements.txt").read_text(encoding="utf-8")
    address = WriteAddress.repository.default_value
    assert f"facegan-course[app] @ git+https://github.com/{address}\n" in wanted
