"""The command line: help, exit codes, and that every noun has its module."""

from importlib import import_module

import pytest

from gate.cli import NOUNS, main
from gate.commands.central import NOUNS as CENTRAL


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_describes_itself(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([noun, "--help"])
    assert ended.value.code == 0
    assert f"gate {noun}" in capsys.readouterr().out


@pytest.mark.parametrize("noun", CENTRAL)
def test_every_central_noun_describes_itself(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_module(CENTRAL[noun][0])
    with pytest.raises(SystemExit) as ended:
        main(["central", noun, "--help"])
    assert ended.value.code == 0
    assert f"gate central {noun}" in capsys.readouterr().out


def test_no_command_at_all_prints_them_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "simulate" in capsys.readouterr().err


def test_an_unknown_command_exits_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["open-sesame"])
    assert ended.value.code == 2


def test_a_config_that_is_not_there_exits_2_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", "nowhere.yaml"]) == 2
    assert "--config FILE" in capsys.readouterr().err
