"""The documents: what they name is there, and what they take from the code is current."""

from __future__ import annotations

import io
import re
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import gate
from gate import wire
from gate.cli import NOUNS

REPO = Path(__file__).resolve().parents[1]
PAGES = sorted([*REPO.glob("*.md"), *REPO.glob("docs/**/*.md"), *REPO.glob("requirements/*.md")])
FOLDERS = "|".join(("gate", "tests", "docs", "config", "systemd", "packaging", "requirements", "bench"))
ENDINGS = "|".join(("py", "md", "yaml", "json", "service", "conf", "lock", "toml"))
FILE = re.compile(rf"(?:{FOLDERS})/[\w./@-]+\.(?:{ENDINGS})")
READERS_OWN = {"gate/drivers/badge.py", "gate/decoder/meal_card.py"}
"""Files that a guide has its reader write."""
DECISION = re.compile(r"# (\d+)\. .+\n\nStatus: (?:accepted|replaced by ADR \d+)\n\n## Context\n")
ASYNCAPI = REPO / "docs" / "asyncapi.yaml"


def code_in(text: str) -> list[str]:
    """The code spans of a page, outside its fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def name_of(page: Path) -> str:
    return str(page.relative_to(REPO))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_and_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = {target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in target}
    files = {span for span in code_in(text) if FILE.fullmatch(span)} - READERS_OWN
    missing = [link for link in links if not (page.parent / link).exists()]
    missing += [file for file in files if not (REPO / file).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_target_and_test_that_a_page_names_is_there(page: Path) -> None:
    spans = code_in(page.read_text(encoding="utf-8"))
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    tests = {name for file in REPO.glob("tests/**/*.py")
             for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)}
    assert {match[1] for span in spans if (match := re.match(r"gate ([a-z]+)\b", span))} <= set(NOUNS)
    assert {match[1] for span in spans if (match := re.match(r"make ([a-z-]+)\b", span))} <= targets
    assert {span for span in spans if re.fullmatch(r"test_\w+", span)} <= tests


@pytest.mark.parametrize("page", sorted((REPO / "docs" / "adr").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_tells_context_decision_and_what_is_bad_about_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    head = DECISION.match(text)
    assert head is not None
    assert int(head[1]) == int(page.stem[:4])
    assert re.findall(r"^## (Decision|Consequences)", text, re.MULTILINE) == ["Decision", "Consequences"]


def test_no_two_decisions_share_a_number() -> None:
    numbers = [page.stem[:4] for page in (REPO / "docs" / "adr").glob("*.md")]
    assert len(numbers) == len(set(numbers))


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[([\d.]+)\]", (REPO / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == gate.__version__


# --- docs/asyncapi.yaml --------------------------------------------------------------------------------


def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(ASYNCAPI)
    return document


def test_the_asyncapi_document_is_current() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(REPO / "docs" / "make_asyncapi.py"), run_name="__main__")
    assert printed.getvalue() == ASYNCAPI.read_text(encoding="utf-8"), "run: make schema"


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    references = re.findall(r"\$ref: '#/(.+)'", ASYNCAPI.read_text(encoding="utf-8"))
    assert references
    for reference in references:
        place: Any = document
        for word in reference.split("/"):
            place = place[word]


def test_the_asyncapi_document_has_every_topic_of_the_wire_format_and_no_other() -> None:
    told = {tail for kind in vars(wire).values() if isinstance(kind, type)
            for tail in re.findall(r"^`((?:up|down|presence)/[^`]+)`", kind.__doc__ or "")} | {"up/event"}
    described = set()
    for channel in asyncapi()["channels"].values():
        if (shared := channel["address"].removeprefix("gate/1/{site}/")).startswith("presence/"):
            described.add(shared)
            continue
        topic = channel["address"].format(site="kcn-1", gate="cong-a", id="{id}", client="{client}", verb="{verb}")
        site, name, tail = wire.parse_topic(topic) or ("", "", "")
        assert (site, name) == ("kcn-1", "cong-a")
        described.add(tail)
    assert described == told


def test_each_asyncapi_message_has_the_type_that_the_wire_format_gives_it() -> None:
    messages = asyncapi()["components"]["messages"]
    for name, message in messages.items():
        if name != "event":
            envelope = message["payload"]["allOf"][1]["properties"]
            assert envelope["type"] == {"const": f"gate.{name}"}
            assert envelope["data"]["$ref"].rpartition("/")[2] in vars(wire)
    assert messages["event"]["payload"]["maxItems"] == wire.BATCH_MAX_EVENTS
