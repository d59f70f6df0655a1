"""The pass on a phone, from the key that a real browser makes to what a gate makes of its screen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import segno
from PIL import Image
from sqlalchemy import Engine, select
from support_browser import Browser, needs_chromium
from test_issuing import add_person, engine, new_key  # noqa: F401  (engine is a fixture)
from test_web import served

from gate import cli
from gate.admission import answer
from gate.central.db import reading
from gate.central.db.models import Pass
from gate.central.keys import read_issuers
from gate.drivers.images import read_image
from gate.model import Decision, Direction, Now, Reason, RosterEntry, Scan
from gate.view import DocumentSet, View

pytestmark = needs_chromium
ENROL = "document.querySelector('[data-when~=enrol]')?.hidden === false"
SHOWN = "document.getElementById('symbol')?.dataset.moment"
WRONG = "document.querySelector('[role=alert]')?.hidden === false"
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


class OnePerson:
    """A roster that lists one holder."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return None

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry("h1", frozenset({"kho-a"})) if holder == "h1" else None


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One kind is enough here: what is tested is the page."""
    return f"sqlite:///{tmp_path / 'central.db'}"


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Browser]:
    phone = Browser(str(tmp_path / "phone"))
    yield phone
    phone.close()


def issue_for(jwk: str, folder: Path, *options: str) -> int:
    """`gate central issue pass` for the one person there is, as an operator types it."""
    (folder / "phone.jwk").write_text(jwk)
    return cli.main(["central", "issue", "pass", "--key", str(folder / "issuer.pem"), "--days", "30",
                     "--db", f"sqlite:///{folder / 'central.db'}", "--person", "h1",
                     "--phone", str(folder / "phone.jwk"), *options])


def code_on(screen: bytes, folder: Path) -> bytes:
    """What a gate's reader sees in a picture of a screen."""
    (folder / "screen.png").write_bytes(screen)
    (symbol,) = read_image(folder / "screen.png")
    return symbol.payload


def at_gate(payload: bytes, view: View, at: datetime) -> tuple[Decision, View]:
    return answer(Scan("in", Direction.ENTRY, payload, 1000.0), view, Now(at, 1000.0))


@pytest.mark.slow
def test_screen_of_the_phone_opens_once_and_a_picture_of_it_does_not(
    phone: Browser, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str],  # noqa: F811
) -> None:
    add_person(engine)
    new_key(tmp_path)
    with served(engine) as client:
        page = f"{client.base_url}/pass/"
        phone.open(page, ENROL, width=390, height=844)
        jwk = phone.evaluate("document.getElementById('phone-key').value")
        assert set(json.loads(jwk)) == {"kty", "crv", "x", "y"}
        assert issue_for(jwk, tmp_path, "--page", page, "--json") == 0
        issued = json.loads(capsys.readouterr().out)

        phone.open("about:blank", "true")
        phone.open(issued["link"], SHOWN, width=390, height=844)
        assert phone.evaluate("location.hash") == ""
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        first = code_on(phone.screenshot(), tmp_path)
        moment = phone.evaluate(SHOWN)
        assert len(first) <= 528
        phone.wait(f"{SHOWN} != {moment}")
        second = code_on(phone.screenshot(), tmp_path)

        phone.open("about:blank", "true")
        phone.open(page, SHOWN, width=390, height=844)  # key and pass are kept on the phone

    documents = DocumentSet(keyring=read_issuers(tmp_path / "issuers.json"), roster=OnePerson())
    view = View("kho-a", ZoneInfo("Asia/Ho_Chi_Minh"), documents)
    now = datetime.now(UTC)
    granted, after = at_gate(first, view, now)
    assert (granted.granted, granted.holder, granted.format) == (True, "h1", "gp1-live")
    assert at_gate(first, after, now)[0].rule == "live-code-used"
    assert at_gate(second, after, now)[0].granted
    assert at_gate(first, view, now + timedelta(minutes=1))[0].rule == "live-code-old"
    copied = at_gate(issued["text"].encode(), view, now)[0]
    assert (copied.reason, copied.rule) == (Reason.NOT_LIVE, "live-code-unsigned")
    with reading(engine) as session:
        assert session.scalars(select(Pass)).one().cti == issued["cti"]


@pytest.mark.slow
def test_phone_whose_clock_is_an_hour_off_signs_by_the_centres_and_says_so(
    phone: Browser, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str],  # noqa: F811
) -> None:
    add_person(engine)
    new_key(tmp_path)
    with served(engine) as client:
        page = f"{client.base_url}/pass/"
        phone.run_first("const right = Date.now; Date.now = () => right() - 3_600_000")
        phone.open(page, ENROL)
        assert issue_for(phone.evaluate("document.getElementById('phone-key').value"), tmp_path, "--page", page) == 0
        phone.open("about:blank", "true")
        phone.open(capsys.readouterr().out.strip(), f"{SHOWN} && !document.getElementById('clock').hidden")
        phone.wait(f"{SHOWN} > {int(time.time()) - 60}")


def test_key_cannot_be_read_out_of_the_phone(phone: Browser, engine: Engine) -> None:  # noqa: F811
    with served(engine) as client:
        phone.open(f"{client.base_url}/pass/", ENROL)
        told = phone.evaluate("""new Promise((done) => {
            indexedDB.open("gate-pass").onsuccess = ({ target }) => {
                const asked = target.result.transaction("kept").objectStore("kept").get("keys");
                asked.onsuccess = () => crypto.subtle.exportKey("jwk", asked.result.privateKey).then(
                    () => done("exported"), (error) => done(error.name));
            };
        })""")
    assert told == "InvalidAccessError"


@pytest.mark.slow
def test_pass_for_another_phone_and_what_is_none_are_refused(
    phone: Browser, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str],  # noqa: F811
) -> None:
    add_person(engine)
    new_key(tmp_path)
    with served(engine) as client:
        page = f"{client.base_url}/pass/"
        phone.open(page, ENROL)
        jwk = json.loads(phone.evaluate("document.getElementById('phone-key').value"))
        other = {"kty": "EC", "crv": "P-256", "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
                 "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}  # SEC 2, 2.4.2: the curve's base point
        assert other["x"] != jwk["x"]
        assert issue_for(json.dumps(other), tmp_path) == 0
        for text in (capsys.readouterr().out.rstrip("\n"), "GP1:", "GP1:@", "https://example.org/"):
            phone.open("about:blank", "true")
            phone.open(page, ENROL)
            phone.evaluate(f"document.getElementById('pass-text').value = {json.dumps(text)}")
            phone.evaluate("document.getElementById('pass-form').requestSubmit()")
            phone.wait(WRONG)


@pytest.mark.slow
def test_page_draws_what_readers_read_and_an_encoder_of_others_draws(
    phone: Browser, engine: Engine, tmp_path: Path,  # noqa: F811
) -> None:
    texts = [(LETTERS * 12)[shift:shift + length] for shift, length in enumerate((1, 311, 312, 366, 367, 419, 420, 468,
                                                                              483, 484, 511, 528))]
    with served(engine) as client:
        phone.open(f"{client.base_url}/pass/", ENROL)
        symbols = phone.evaluate(
            f"import('/pass/qr.js').then(({{ makeSymbol }}) => {json.dumps(texts)}.map(makeSymbol))")
        refused = phone.evaluate("""import('/pass/qr.js').then(({ makeSymbol }) => ['A'.repeat(529), 'a', 'Á'].map(
            (text) => { try { return makeSymbol(text).length } catch (error) { return error.name } }))""")
    for text, rows in zip(texts, symbols, strict=True):
        version = (len(rows) - 17) // 4
        theirs = segno.make_qr(text, error="m", version=version, mask=0, boost_error=False, mode="alphanumeric")
        assert rows == [[bool(module) for module in row] for row in theirs.matrix]
        picture = Image.new("L", (len(rows) + 8, len(rows) + 8), 255)
        picture.putdata([0 if 4 <= x < len(rows) + 4 and 4 <= y < len(rows) + 4 and rows[y - 4][x - 4] else 255
                         for y in range(len(rows) + 8) for x in range(len(rows) + 8)])
        picture.resize((4 * picture.width, 4 * picture.height), 0).save(tmp_path / "symbol.png")
        (symbol,) = read_image(tmp_path / "symbol.png")
        assert symbol.payload.decode() == text
    assert refused == ["RangeError"] * 3


@pytest.mark.slow
def test_phone_needs_no_network_once_it_has_its_page(phone: Browser, engine: Engine) -> None:  # noqa: F811
    with served(engine) as client:
        page = f"{client.base_url}/pass/"
        phone.open(page, ENROL)
        phone.wait("navigator.serviceWorker.controller || (navigator.serviceWorker.ready.then((there) => { "
                   "window.ready = there.active.state === 'activated' }), window.ready)")
    phone.open("about:blank", "true")
    phone.open(page, ENROL)


@pytest.mark.parametrize(("jwk", "said"), [
    ("{}", "neither Ed25519"), ("not JSON", "JSON"),
    ('{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}', "not a key"),
    ('{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}', "not on P-256"),
    ('{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}', "private key"),
])
def test_what_is_no_phones_key_is_refused_and_nothing_issued(
    jwk: str, said: str, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str],  # noqa: F811
) -> None:
    add_person(engine)
    new_key(tmp_path)
    assert issue_for(jwk, tmp_path) == 2
    assert said in capsys.readouterr().err
    with reading(engine) as session:
        assert session.scalars(select(Pass)).all() == []


@pytest.mark.parametrize("options", [("--out", "cards"), ("--png", "--out", "cards"), ("--person", "h2")])
def test_a_pass_for_a_phone_is_one_persons_and_never_printed(
    options: tuple[str, ...], engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str],  # noqa: F811
) -> None:
    add_person(engine)
    new_key(tmp_path)
    assert issue_for("{}", tmp_path, *options) == 2
    assert "one person's phone" in capsys.readouterr().err
