"""Every scenario file goes as it says; those marked must_fail are noticed."""

from pathlib import Path

import pytest

from gate.errors import UsageError
from gate.scenario import Scenario, read_scenario
from gate.simulate import run_scenario

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario_goes_as_it_says(file: Path) -> None:
    outcome = run_scenario(read_scenario(file))
    assert outcome.passed, "\n".join(outcome.difference) or "wrong on purpose, and nothing noticed"


def test_there_are_enough_scenarios_and_some_must_fail() -> None:
    wrong = [file for file in FILES if read_scenario(file).must_fail]
    assert len(FILES) - len(wrong) >= 40
    assert len(wrong) >= 5


def test_a_timeline_that_expects_nothing_fails() -> None:
    assert not run_scenario(Scenario("nothing", "0 rex")).passed


def test_an_unknown_action_says_which() -> None:
    with pytest.raises(UsageError, match="dance"):
        run_scenario(Scenario("typo", "0 dance\n= x 0"))


@pytest.mark.parametrize("timeline", [
    "0 rex now\n= x 0", "0 scan nowhere an\n= x 0", "0 mode asleep\n= x 0", "0 clock soon\n= x 0", "0 break\n= x 0",
    "0 scan in nobody\n= x 0", "nan rex\n= x 0", "1e9 rex\n= x 0", "rex\n= x 0", "0 rex\n= x many",
    "0 repeat 999999999 every 1: rex\n= x 0",
])
def test_a_timeline_that_cannot_be_played_is_a_usage_error(timeline: str) -> None:
    with pytest.raises(UsageError):
        run_scenario(Scenario("wrong", timeline))


def test_settings_that_no_config_may_have_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="pulse_s"):
        run_scenario(Scenario("wrong", "0 rex\n= x 0", portal={"pulse_s": -1}))


def test_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "typo.yaml").write_text("title: t\ntimeline: x\npoeple: {}\n")
    with pytest.raises(UsageError, match="poeple"):
        read_scenario(tmp_path / "typo.yaml")
