"""The camera process from inside: one frame at a time, one daemon at a time, and no word it cannot mean."""

from __future__ import annotations

import os
import queue
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gate import cli
from gate.decoder.frame import Frame
from gate.decoder.symbols import Symbol
from gate.drivers.camera_process import CODES_MAX, CameraProcess, NewestFrame, listen
from gate.drivers.camera_wire import MESSAGE_MAX_BYTES, Alive, Code, decode
from gate.errors import DeviceError, UsageError

PATIENCE_S = 20.0


def frame(number: int) -> Frame:
    """A frame of one pixel, told apart by its grey."""
    return Frame(bytes([number]), 1, 1, 1)


class Hand:
    """A source whose frames the test hands in; None ends it."""

    def __init__(self) -> None:
        self.shown: queue.Queue[Frame | None] = queue.Queue()

    def frames(self) -> Iterator[Frame]:
        return iter(self.shown.get, None)


class Eye:
    """A symbol reader that reads what the test says is there, and waits for leave to answer."""

    def __init__(self, *symbols: Symbol) -> None:
        self.symbols = list(symbols)
        self.saw: queue.Queue[int] = queue.Queue()
        self.leave = threading.Semaphore(0)

    def read(self, frame: Frame) -> list[Symbol]:
        self.saw.put(frame.luma[0])
        assert self.leave.acquire(timeout=PATIENCE_S)
        return self.symbols


class Lane:
    """A camera process on a thread; `ended` says how it went."""

    def __init__(self, path: Path, eye: Eye) -> None:
        self.path = path
        self.hand, self.eye = Hand(), eye
        self.beats: queue.Queue[Alive] = queue.Queue()
        self.ended: queue.Queue[Exception] = queue.Queue()
        self._process = CameraProcess(self.hand, eye, path, 3.0, self.beats.put, confine=lambda: None)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._process.run()
        except DeviceError as error:
            self.ended.put(error)

    def connect(self) -> socket.socket:
        """A daemon that has been let in: it hears the heartbeat."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.settimeout(PATIENCE_S)
        link.connect(os.fspath(self.path))
        assert isinstance(hear(link), Alive)
        return link

    def end(self) -> None:
        self.eye.leave.release(1_000)
        self.hand.shown.put(None)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def hear(link: socket.socket) -> Alive | Code:
    return decode(link.recv(MESSAGE_MAX_BYTES + 1))


def hear_code(link: socket.socket) -> Code:
    while isinstance(message := hear(link), Alive):
        pass
    return message


@pytest.fixture
def lane(tmp_path, request) -> Iterator[Lane]:
    made = Lane(tmp_path / "camera.socket", Eye(*getattr(request, "param", ())))
    made.hand.shown.put(frame(0))
    assert made.beats.get(timeout=PATIENCE_S).frames == 1
    yield made
    made.end()


def test_newest_frame_replaces_the_one_not_taken() -> None:
    newest = NewestFrame()
    for number in range(5):
        newest.put(frame(number))
    assert newest.take(timeout_s=0) == frame(4)
    assert newest.take(timeout_s=0) is None
    assert newest.state().frames == 5


def test_frames_that_come_while_one_is_decoded_are_passed_over(lane, eventually) -> None:
    with lane.connect():
        lane.hand.shown.put(frame(1))
        assert lane.eye.saw.get(timeout=PATIENCE_S) == 1
        for number in range(2, 10):
            lane.hand.shown.put(frame(number))
        eventually(lane.hand.shown.empty)
        lane.hand.shown.put(frame(10))
        lane.hand.shown.put(frame(11))
        lane.eye.leave.release(1_000)
        later = []
        while 11 not in later:
            later.append(lane.eye.saw.get(timeout=PATIENCE_S))
        assert len(later) <= 3, "a queue of ten was not worked off"


@pytest.mark.parametrize("lane", [[Symbol(b"near", 90), Symbol(b"far", 10)]], indirect=True)
def test_codes_are_sent_once_and_in_the_order_of_their_size(lane) -> None:
    lane.eye.leave.release(1_000)
    with lane.connect() as daemon:
        lane.hand.shown.put(frame(1))
        lane.hand.shown.put(frame(2))
        assert [hear_code(daemon), hear_code(daemon)] == [Code(b"near", 90), Code(b"far", 10)]
        lane.eye.symbols = [Symbol(b"near", 90), Symbol(b"other", 20), Symbol(b"far", 10)]
        lane.hand.shown.put(frame(3))
        assert hear_code(daemon) == Code(b"other", 20)


@pytest.mark.parametrize("lane", [[Symbol(b"%d" % size, size) for size in range(CODES_MAX + 5, 0, -1)]], indirect=True)
def test_wall_of_codes_is_cut_to_the_largest(lane) -> None:
    lane.eye.leave.release(1_000)
    with lane.connect() as daemon:
        lane.hand.shown.put(frame(1))
        sizes = [hear_code(daemon).size_px2 for _ in range(CODES_MAX)]
        assert sizes == list(range(CODES_MAX + 5, 5, -1))
        lane.eye.symbols = [Symbol(b"next", 1)]
        lane.hand.shown.put(frame(2))
        assert hear_code(daemon).payload == b"next"


@pytest.mark.parametrize("lane", [[Symbol(b"x" * (MESSAGE_MAX_BYTES + 1), 9), Symbol(b"good", 1)]], indirect=True)
def test_payload_above_a_message_is_never_sent(lane) -> None:
    lane.eye.leave.release(1_000)
    with lane.connect() as daemon:
        lane.hand.shown.put(frame(1))
        assert hear_code(daemon).payload == b"good"


@pytest.mark.parametrize("lane", [[Symbol(b"code", 9)]], indirect=True)
def test_code_shown_while_no_daemon_listens_is_offered_to_the_next(lane) -> None:
    lane.eye.leave.release(1_000)
    lane.hand.shown.put(frame(1))
    while lane.beats.get(timeout=PATIENCE_S).frames < 2:
        pass
    with lane.connect() as daemon:
        lane.hand.shown.put(frame(2))
        assert hear_code(daemon).payload == b"code"


def test_new_daemon_takes_the_place_of_the_old(lane) -> None:
    with lane.connect() as old, lane.connect() as new:
        while old.recv(MESSAGE_MAX_BYTES):
            pass
        assert isinstance(hear(new), Alive)


def test_daemon_that_left_is_forgotten(lane) -> None:
    lane.connect().close()
    for _ in range(3):
        lane.beats.get(timeout=PATIENCE_S)
    with lane.connect() as daemon:
        assert isinstance(hear(daemon), Alive)


def test_process_ends_when_its_source_does(tmp_path) -> None:
    lane = Lane(tmp_path / "camera.socket", Eye())
    lane.end()
    assert "source ended" in str(lane.ended.get(timeout=PATIENCE_S))
    assert not lane.path.exists(), "no socket without a frame"


def test_socket_is_for_this_user_and_group_only_and_replaces_a_stale_one(tmp_path) -> None:
    path = tmp_path / "camera.socket"
    listen(path).close()
    with listen(path):
        assert stat.filemode(path.stat().st_mode) == "srw-rw----"


def test_socket_never_replaces_a_file_and_needs_its_folder(tmp_path) -> None:
    (tmp_path / "notes").write_text("keep me")
    with pytest.raises(UsageError, match="is not a socket"):
        listen(tmp_path / "notes")
    with pytest.raises(UsageError, match="no socket can be made"):
        listen(tmp_path / "absent" / "camera.socket")


@pytest.mark.parametrize(("options", "words"), [
    (["--source", "webcam"], "folder:DIR"),
    (["--source", "folder:"], "folder:DIR"),
    (["--width", "100000"], "each side"),
    (["--fps", "0"], "--fps"),
    (["--hold-s", "nan"], "--hold-s"),
    (["--socket", "/" + "x" * 200], "too long"),
])
def test_wrong_option_is_refused_in_words(tmp_path, capsys, options, words) -> None:
    whole = ["camera", "--socket", str(tmp_path / "s"), "--source", f"folder:{tmp_path}", *options]
    assert cli.main(whole) == cli.USAGE
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("source", "words"), [
    ("folder:absent", "make it"), ("video:absent.mp4", "absent.mp4"), ("v4l2:/dev/absent", "/dev/absent"),
])
def test_absent_camera_is_refused_in_words(tmp_path, capsys, monkeypatch, source, words) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["camera", "--socket", str(tmp_path / "s"), "--source", source]) == cli.CANNOT
    assert words in capsys.readouterr().err


def test_systemd_hears_of_a_camera_that_sees(tmp_path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(os.fspath(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        process = subprocess.Popen(
            [sys.executable, "-m", "gate", "camera", "--socket", str(tmp_path / "s"), "--source", f"folder:{tmp_path}"],
            env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        try:
            assert systemd.recv(100).split() == [b"READY=1", b"WATCHDOG=1"]
        finally:
            process.kill()
            process.wait()
