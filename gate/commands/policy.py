"""`gate policy`: try a pack by its own table, read it, see what it would have changed, and what it only observed."""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gate.errors import UsageError
from gate.pack_files import read_cases, read_pack, shipped_packs
from gate.policy.health.cases import cases_from_json, outcomes, untried
from gate.policy.health.pack import Pack, pack_from_json

if TYPE_CHECKING:
    from gate.config import Config

YES, NO = 0, 1
DECISIONS = 10_000
SHOWN = 20
"""So many people are named; the rest is counted."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the four verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="{test,show,replay,report}")
    test = verbs.add_parser("test", help="run a pack's table of cases: 0 all as it says, 1 not")
    which = test.add_mutually_exclusive_group(required=True)
    which.add_argument("pack", nargs="?", metavar="PACK", help=f"a file, or one of {', '.join(shipped_packs())}")
    which.add_argument("--all", action="store_true", help="every pack that is shipped")
    show = verbs.add_parser("show", help="what a pack says and asks")
    show.add_argument("pack", metavar="PACK", help="a file, or the name of a shipped pack")
    replay = verbs.add_parser("replay", help="which recent decisions a pack would have changed: 0 none, 1 some")
    replay.add_argument("--against", required=True, metavar="PACK", help="a file, or the name of a shipped pack")
    report = verbs.add_parser("report", help="who would have been denied by the rules that are only observed")
    for verb in (replay, report):
        verb.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gate's config")
        verb.add_argument("--last", type=int, default=DECISIONS, metavar="N", help="how many decisions (%(default)s)")
    for verb in (test, show, replay, report):
        verb.add_argument("--json", action="store_true", help=f"one gate.policy.{verb.prog.split()[-1]}/1 object")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if getattr(args, "last", 1) < 1:
        raise UsageError("--last counts decisions: 1 or more")
    return {"test": _test, "show": _show, "replay": _replay, "report": _report}[args.verb](args)


def _test(args: argparse.Namespace) -> int:
    tried = [_try(word) for word in (shipped_packs() if args.all else [args.pack])]
    if args.json:
        _print_json("test", packs=tried)
    else:
        for each in tried:
            _say_tried(each)
    return NO if any(each["wrong"] or each["untried"] for each in tried) else YES


def _try(word: str) -> dict[str, Any]:
    pack, cases = pack_from_json(read_pack(word)), cases_from_json(read_cases(word))
    if cases.pack != pack.id:
        raise UsageError(f"{word}: the table of cases is that of {cases.pack}; give {pack.id} one of its own")
    results = list(outcomes(pack, cases))
    wrong = [{"who": each.case.who, "at": each.case.at.isoformat(), "expected": each.case.refused_by,
              "refused_by": each.refused_by} for each in results if not each.right]
    return {"pack": pack.id, "version": pack.version, "people": len(cases.people), "cases": len(results),
            "wrong": wrong, "untried": untried(pack, cases)}


def _say_tried(tried: dict[str, Any]) -> None:
    mark = "✗" if tried["wrong"] or tried["untried"] else "✓"
    print(f"{mark} {tried['pack']} {tried['version']}: {tried['people']} người / people, "
          f"{tried['cases']} ca / cases, {len(tried['wrong'])} sai / wrong")
    for each in tried["wrong"]:
        print(f"    {each['at']}  {each['who']}: {_rules(each['refused_by'])}; "
              f"bảng ghi / the table says {_rules(each['expected'])}")
    for rule in tried["untried"]:
        print(f"    {rule}: bảng phải có ca đạt và ca không đạt / the table needs one who passes and one who does not")


def _show(args: argparse.Namespace) -> int:
    pack = pack_from_json(read_pack(args.pack))
    rules = [{
        "id": rule.id, "texts": dict(rule.texts), "mode": "observe" if rule.observed else "enforce",
        "alert": rule.alerts, "asked_without_clock": rule.asked_without_clock,
        "valid_from": _day(rule.span.first), "valid_to": _day(rule.span.last),
    } for rule in pack.rules]
    if args.json:
        _print_json("show", pack=pack.id, version=pack.version, texts=dict(pack.texts), source=pack.source,
                    valid_from=_day(pack.span.first), valid_to=_day(pack.span.last), fields=sorted(pack.fields),
                    rules=rules)
        return YES
    print(f"{pack.id} {pack.version}\n  {pack.texts['vi']}\n  {pack.texts['en']}\n  {pack.source}")
    print(f"  hiệu lực / in force: {_day(pack.span.first) or '…'} – {_day(pack.span.last) or '…'}")
    print(f"  dữ kiện / facts: {', '.join(sorted(pack.fields)) or '-'}")
    for rule in pack.rules:
        marks = ["chỉ theo dõi / only observed"] * rule.observed + ["báo động / alert"] * rule.alerts
        print(f"  {rule.id}{'  [' + ', '.join(marks) + ']' if marks else ''}\n"
              f"    {rule.texts['vi']}\n    {rule.texts['en']}")
    return YES


def _replay(args: argparse.Namespace) -> int:
    from gate.config.reading import load
    from gate.documents import load_documents
    from gate.policy.health.replay import Change, Past, replay
    from gate.token_key import read_token_key

    pack, settings = pack_from_json(read_pack(args.against)), load(args.config)
    roster = load_documents(settings.state_dir, read_token_key(settings.site.token_key_file)).roster
    zone, certificates = ZoneInfo(settings.site.time_zone), settings.admission.certificates != "ignored"
    counts: Counter[Change] = Counter()
    by_rule: Counter[str] = Counter()
    people: list[dict[str, Any]] = []
    for seq, at, synced, data in _decisions(settings, args.last):
        holder = data.get("holder", "")
        past = Past(at.astimezone(zone), synced, data["reason"], holder)
        change, rules = replay(pack, past, roster.holder(holder) if holder else None, certificates)
        counts[change] += 1
        if change is not Change.SAME:
            by_rule.update(rules)
            people.append({"seq": seq, "at": at.isoformat(), "holder": holder, "change": change.value, "rules": rules})
    if args.json:
        _print_json("replay", against=pack.id, version=pack.version, decisions=counts.total(),
                    **{change.name.lower(): counts[change] for change in Change}, by_rule=by_rule, changed=people)
    else:
        print(f"{pack.id} {pack.version}: {counts.total()} quyết định gần nhất / recent decisions to let in")
        words = {Change.SAME: "như cũ / as they were", Change.WOULD_DENY: "sẽ bị từ chối / would be denied",
                 Change.WOULD_ADMIT: "sẽ được vào, xét về y tế / would pass, as far as health goes",
                 Change.UNKNOWN: "không thể biết: không trong danh sách, hoặc sổ không lưu / cannot be known: not in "
                                 "the roster, or not kept in the ledger"}
        for change, text in words.items():
            print(f"  {counts[change]:>7}  {text}")
        _say_people(by_rule, people, pack)
    return NO if counts[Change.WOULD_DENY] or counts[Change.WOULD_ADMIT] else YES


def _report(args: argparse.Namespace) -> int:
    from gate.config.reading import load

    settings = load(args.config, files=False)
    passed, by_rule = 0, Counter[str]()
    people: list[dict[str, Any]] = []
    for seq, at, _, data in _decisions(settings, args.last):
        passed += data["reason"] == "GRANTED"
        if rules := data.get("observed"):
            by_rule.update(rules)
            people.append({"seq": seq, "at": at.isoformat(), "holder": data.get("holder", ""), "rules": rules})
    if args.json:
        _print_json("report", granted=passed, would_deny=len(people), by_rule=by_rule, people=people)
    else:
        print(f"{len(people)} trong {passed} lượt vào lẽ ra bị từ chối / "
              f"{len(people)} of {passed} who entered would have been denied")
        _say_people(by_rule, people)
    return YES


def _decisions(settings: Config, limit: int) -> Iterator[tuple[int, datetime, bool, dict[str, Any]]]:
    """The latest decisions about people who wanted to enter, oldest first."""
    from gate import wire
    from gate.ledger import FILE_NAME, LedgerReader
    from gate.model import EventKind

    reader = LedgerReader(settings.state_dir / FILE_NAME)
    try:
        for row in reader.recent(limit, (EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED)):
            event = wire.read_event(row.body)
            if event.data.get("direction") == "entry" and "reason" in event.data:
                yield row.seq, datetime.fromisoformat(event.time), event.synced, event.data
    finally:
        reader.close()


def _say_people(by_rule: Counter[str], people: list[dict[str, Any]], pack: Pack | None = None) -> None:
    texts = {rule.id: rule.texts for rule in pack.rules} if pack else {}
    for rule, count in by_rule.most_common():
        said = f"  {texts[rule]['vi']} / {texts[rule]['en']}" if rule in texts else ""
        print(f"  {rule}: {count}{said}")
    by_holder: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in people:
        by_holder[each["holder"]].append(each)
    for holder, times in list(by_holder.items())[:SHOWN]:
        rules = sorted({rule for each in times for rule in each["rules"]})
        print(f"    {holder or '-'}  {len(times)}×, {times[-1]['at']}  {times[-1].get('change', '')}  {_rules(rules)}")
    if len(by_holder) > SHOWN:
        print(f"    và {len(by_holder) - SHOWN} người khác / and {len(by_holder) - SHOWN} others: --json")


def _rules(rules: list[str]) -> str:
    return ", ".join(rules) or "-"


def _day(day: object) -> str | None:
    return None if day is None else str(day)


def _print_json(verb: str, **fields: Any) -> None:
    print(json.dumps({"schema": f"gate.policy.{verb}/1", **fields}, ensure_ascii=False))
