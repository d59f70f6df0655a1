"""The camera as people meet it: real child processes, real images, a process that freezes, dies or babbles."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import msgspec
import pytest
import segno
from PIL import Image

from gate.drivers.camera import CameraReader, CameraSettings
from gate.drivers.camera_wire import MESSAGE_MAX_BYTES, SOCKET_PATH_MAX_BYTES, Alive, Code, encode
from gate.errors import UsageError
from gate.model import PAYLOAD_MAX_BYTES, Direction, ReaderState, Scan

ABSENT, BACK = False, True


def qr(payload: str, scale: int = 5) -> Image.Image:
    symbol = segno.make_qr(payload, error="m")
    image = Image.new("1", symbol.symbol_size(border=4), 1)
    image.putdata([not module for row in symbol.matrix_iter(border=4) for module in row])
    return image.convert("L").resize((image.width * scale, image.height * scale))


def hold_before(lens: Path, name: str, *codes: Image.Image) -> None:
    """Put an image of these codes, side by side, into the folder that plays the camera."""
    wall = Image.new("L", (sum(code.width for code in codes), max(code.height for code in codes)), 255)
    left = 0
    for code in codes:
        wall.paste(code, (left, 0))
        left += code.width
    wall.save(lens / name)


@pytest.fixture
def lens(tmp_path: Path) -> Path:
    folder = tmp_path / "lens"
    folder.mkdir()
    return folder


@pytest.fixture
def camera(heard) -> Iterator[Callable[..., CameraReader]]:
    """Start a reader with these settings; what it says is `heard`."""
    readers = []

    def start(**settings: object) -> CameraReader:
        defaults = {"width": 320, "height": 240, "fps": 20, "stall_s": 15.0, "hold_s": 0.5}
        reader = CameraReader("lane", Direction.ENTRY, CameraSettings(**(defaults | settings)))
        readers.append(reader)
        reader.start(heard)
        return reader

    yield start
    for reader in readers:
        reader.stop()


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def said(heard, present: bool) -> ReaderState:
    """The next word on the reader itself; scans before it are passed over."""
    while not isinstance(word := heard.next(), ReaderState):
        pass
    assert word.present is present
    return word


def payload(heard) -> bytes:
    scan = heard.next()
    assert isinstance(scan, Scan)
    assert (scan.reader, scan.direction) == ("lane", Direction.ENTRY)
    return scan.payload


def test_image_dropped_into_the_folder_is_one_scan(camera, heard, lens) -> None:
    camera(source=f"folder:{lens}", hold_s=1.0)
    hold_before(lens, "pass.png", qr("GP1:FIRST"))
    assert payload(heard) == b"GP1:FIRST"
    hold_before(lens, "later.png", qr("GP1:LATER"))
    assert payload(heard) == b"GP1:LATER", "twenty frames of the first were one scan"
    assert heard.nothing()


def test_two_codes_in_view_come_largest_first(camera, heard, lens) -> None:
    camera(source=f"folder:{lens}")
    hold_before(lens, "two.png", qr("GP1:FAR", scale=3), qr("GP1:NEAR", scale=8))
    near, far = heard.next(), heard.next()
    assert (near.payload, far.payload) == (b"GP1:NEAR", b"GP1:FAR")
    assert near.size > far.size > 0


def test_frames_are_read_confined(camera, heard, lens) -> None:
    reader = camera(source=f"folder:{lens}")
    hold_before(lens, "pass.png", qr("GP1:FIRST"))
    assert payload(heard) == b"GP1:FIRST"
    status = dict(line.split(":\t") for line in Path(f"/proc/{reader.camera_pid}/status").read_text().splitlines())
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), "proc(5): 2 is a filter"


def test_file_that_is_no_image_is_passed_over(camera, heard, lens) -> None:
    (lens / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    hold_before(lens, "b.png", qr("GP1:AFTER"))
    camera(source=f"folder:{lens}")
    assert payload(heard) == b"GP1:AFTER"


def test_image_half_copied_is_read_when_it_is_whole(camera, heard, lens) -> None:
    hold_before(lens.parent, "whole.png", qr("GP1:SLOW COPY"))
    whole = (lens.parent / "whole.png").read_bytes()
    (lens / "pass.png").write_bytes(whole[:len(whole) // 2])
    camera(source=f"folder:{lens}")
    hold_before(lens, "other.png", qr("GP1:OTHER"))
    assert payload(heard) == b"GP1:OTHER"
    (lens / "pass.png").write_bytes(whole)
    assert payload(heard) == b"GP1:SLOW COPY"


def test_the_next_camera_has_been_waiting_and_takes_over(camera, heard, lens) -> None:
    reader = camera(source=f"folder:{lens}")
    hold_before(lens, "pass.png", qr("GP1:STILL THERE"))
    assert payload(heard) == b"GP1:STILL THERE"
    dead, waiting = reader.camera_pid, reader.standby_pid
    os.kill(dead, signal.SIGKILL)
    said(heard, ABSENT)
    said(heard, BACK)
    assert payload(heard) == b"GP1:STILL THERE"
    assert reader.camera_pid == waiting
    assert not running(dead)


def test_a_camera_that_died_waiting_is_replaced(camera, heard, lens) -> None:
    reader = camera(source=f"folder:{lens}")
    hold_before(lens, "pass.png", qr("GP1:STILL THERE"))
    assert payload(heard) == b"GP1:STILL THERE"
    dead = (reader.standby_pid, reader.camera_pid)
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    said(heard, ABSENT)
    said(heard, BACK)
    assert payload(heard) == b"GP1:STILL THERE"
    assert reader.camera_pid not in dead


def test_frozen_camera_is_killed_and_replaced_and_reads_again(camera, heard, lens) -> None:
    reader = camera(source=f"folder:{lens}", stall_s=2.0)
    hold_before(lens, "before.png", qr("GP1:BEFORE"))
    assert payload(heard) == b"GP1:BEFORE"
    (lens / "before.png").unlink()
    frozen = reader.camera_pid
    os.kill(frozen, signal.SIGSTOP)
    assert "no new frame" in said(heard, ABSENT).detail
    said(heard, BACK)
    assert not running(frozen)
    assert reader.camera_pid != frozen
    hold_before(lens, "after.png", qr("GP1:AFTER"))
    assert payload(heard) == b"GP1:AFTER"


def test_dead_camera_is_replaced_and_reads_again(camera, heard, lens) -> None:
    reader = camera(source=f"folder:{lens}")
    hold_before(lens, "before.png", qr("GP1:BEFORE"))
    assert payload(heard) == b"GP1:BEFORE"
    (lens / "before.png").unlink()
    os.kill(reader.camera_pid, signal.SIGKILL)
    said(heard, ABSENT)
    said(heard, BACK)
    hold_before(lens, "after.png", qr("GP1:AFTER"))
    assert payload(heard) == b"GP1:AFTER"


def test_camera_that_never_starts_is_said_once_and_tried_again(camera, heard, lens) -> None:
    camera(source=f"folder:{lens / 'later'}")
    assert "exit code 3" in said(heard, ABSENT).detail
    (lens / "later").mkdir()
    said(heard, BACK)


def test_stop_leaves_no_process_behind(camera, lens, heard) -> None:
    reader = camera(source=f"folder:{lens}")
    hold_before(lens, "pass.png", qr("GP1:PASS"))
    heard.next()
    os.kill(reader.camera_pid, signal.SIGSTOP)
    reader.stop()
    assert not running(reader.camera_pid)


def test_stop_while_the_camera_starts_is_not_called_a_loss(camera, lens, heard) -> None:
    camera(source=f"folder:{lens}").stop()
    assert heard.nothing()


DAEMON = """
import sys, threading
from gate.drivers.camera import CameraReader, CameraSettings
from gate.model import Direction
reader = CameraReader("lane", Direction.ENTRY, CameraSettings(source="folder:" + sys.argv[1]))
read = threading.Event()
reader.start(lambda said: read.set())
read.wait()
print(reader.camera_pid, flush=True)
threading.Event().wait()
"""


def test_camera_dies_with_its_daemon(lens) -> None:
    """A daemon that is killed cannot clean up: the kernel ends the camera."""
    hold_before(lens, "pass.png", qr("GP1:PASS"))
    with subprocess.Popen([sys.executable, "-c", DAEMON, str(lens)], stdout=subprocess.PIPE, text=True) as daemon:
        assert running(int(daemon.stdout.readline()))
        daemon.kill()
        assert daemon.stdout.read() == "", "the pipe ends when the camera, which inherited it, has ended too"


def test_video_file_is_read(camera, heard, tmp_path) -> None:
    film = tmp_path / "lane.mp4"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in (Image.new("L", (320, 240), 200), _on_a_wall(qr("GP1:FILM"))):
            frame = av.VideoFrame.from_image(picture.convert("RGB"))
            for _ in range(4):
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    camera(source=f"video:{film}")
    assert payload(heard) == b"GP1:FILM"


def _on_a_wall(code: Image.Image) -> Image.Image:
    wall = Image.new("L", (320, 240), 200)
    wall.paste(code, (40, 20))
    return wall


# --- a camera process that systemd runs, played by the test ---------------------------------------------


class Stub:
    """Listens where `gate camera` would; sends what it is told."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(20)
        self.link: socket.socket | None = None

    def accept(self) -> Stub:
        self.hang_up()
        self.link, _ = self._listener.accept()
        return self

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.link.send(packet)

    def hang_up(self) -> None:
        if self.link is not None:
            self.link.close()

    def close(self) -> None:
        self.hang_up()
        self._listener.close()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    process = Stub(tmp_path / "camera.socket")
    yield process
    process.close()


ALIVE = encode(Alive(frames=1, frame_age_s=0.1))


@pytest.mark.parametrize("garbage", [
    b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\x91" * 5_000, bytes(MESSAGE_MAX_BYTES + 1),
    encode(Code(payload=b"x" * (MESSAGE_MAX_BYTES + 1), size_px2=1)),
    msgspec.msgpack.encode({"type": "alive", "frames": 1, "frame_age_s": float("nan")}),
    msgspec.msgpack.encode({"type": "alive", "frames": 1, "frame_age_s": -1e9}),
    msgspec.msgpack.encode({"type": "code", "payload": "text", "size_px2": 1}),
    msgspec.msgpack.encode({"type": "open the gate"}),
], ids=lambda packet: repr(packet[:24]))
def test_garbage_on_the_socket_is_hung_up_on_and_survived(camera, heard, stub, tmp_path, garbage) -> None:
    camera(socket=tmp_path / "camera.socket")
    stub.accept().send(ALIVE, garbage)
    assert "camera process sent" in said(heard, ABSENT).detail
    stub.accept().send(ALIVE, encode(Code(payload=b"GP1:GOOD", size_px2=9)))
    said(heard, BACK)
    assert payload(heard) == b"GP1:GOOD"


def test_process_that_shows_only_old_frames_is_left(camera, heard, stub, tmp_path) -> None:
    camera(socket=tmp_path / "camera.socket", stall_s=60.0)
    stub.accept().send(ALIVE, encode(Alive(frames=7, frame_age_s=60.5)))
    assert "no new frame for 60.0 s" in said(heard, ABSENT).detail


def test_payload_that_is_too_long_is_dropped_and_counted(camera, heard, stub, tmp_path) -> None:
    reader = camera(socket=tmp_path / "camera.socket")
    for length in (PAYLOAD_MAX_BYTES + 1, PAYLOAD_MAX_BYTES):
        (stub.link or stub.accept().link).send(encode(Code(payload=b"x" * length, size_px2=1)))
    assert len(payload(heard)) == PAYLOAD_MAX_BYTES
    assert reader.dropped == 1


def test_socket_path_that_no_socket_can_have_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="too long"):
        CameraReader("lane", Direction.ENTRY, CameraSettings(socket=tmp_path / ("x" * SOCKET_PATH_MAX_BYTES)))
