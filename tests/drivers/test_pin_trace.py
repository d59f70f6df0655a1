from pathlib import Path

from gpiozero import OutputDevice

from gate import config
from gate.drivers.pin_trace import levels
from gate.drivers.pins import open_factory


def test_every_change_of_an_output_leaves_a_line(tmp_path: Path) -> None:
    trace = tmp_path / "pins.trace"
    factory = open_factory(config.Pins(factory="mock", trace=trace))
    with OutputDevice(17, pin_factory=factory) as relay:
        relay.on()
        relay.on()
        relay.off()
    lines = [line.split() for line in trace.read_text().splitlines()]
    assert [(pin, level) for _, pin, level in lines] == [("17", "1"), ("17", "0")]
    assert float(lines[0][0]) <= float(lines[1][0])


def test_a_line_keeps_its_level_when_its_process_dies(tmp_path: Path) -> None:
    trace = tmp_path / "pins.trace"
    pins = config.Pins(factory="mock", trace=trace)
    dead = OutputDevice(17, pin_factory=open_factory(pins))
    dead.on()
    OutputDevice(17, initial_value=False, pin_factory=open_factory(pins))
    assert [line.split()[1:] for line in trace.read_text().splitlines()] == [["17", "1"], ["17", "0"]]
    assert levels(trace) == {17: False}
