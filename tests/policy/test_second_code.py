"""Two codes of one person: a certificate and an ID card, in either order, and nobody's else in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import support_health
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from support_health import BODY, VACCINATION, card, cwt, hc1, immunization, shc

from gate.admission import answer, forget
from gate.decoder import gp1
from gate.model import Claims, Decision, Direction, Now, Proof, Reason, RosterEntry, Scan
from gate.pack_files import read_pack
from gate.policy.health.pack import HealthPolicy, pack_from_json
from gate.texts import hint_words
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import DocumentSet, View

ISSUER = Ed25519PrivateKey.generate()
KEYS = (replace(support_health.KEY, issuer="bo-y-te", purpose="health"),
        Key(b"issuer-1", ISSUER.public_key(), "khu-a", "pass"))
AREA = frozenset({"xuong-a"})
CERTIFICATE = hc1()
DUY = "001083123456||NGUYEN BAO DUY|10101983|Nam|Ha Noi|15102021"
DUY_QR = "******123456|NGUYEN BAO DUY|1983-**-**|0|162979388586171100|<1<00<"
DUY_UNLISTED = DUY.replace("001083123456", "001083999999")
BINH = "001090654321||TRAN VAN BINH|03021990|Nam|Ha Noi|15102021"
STRANGER = "001090111111||LE VAN LA|03021990|Nam|Ha Noi|15102021"
PASS = gp1.issue_pass(
    Claims("khu-a", "binh", key_id(b"issuer-1"), "00" * 8, None, support_health.EXPIRES_AT, AREA), ISSUER)


class TwoPeople:
    """A roster that lists Duy by his card and his QR, and Binh by her card."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        duy = {"cccd:001083123456", "qid:162979388586171100"} & set(identifiers)
        return self.holder("duy" if duy else "binh" if "cccd:001090654321" in identifiers else "")

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry(holder, AREA) if holder in ("duy", "binh") else None


DOCUMENTS = DocumentSet(keyring=Keyring(KEYS), roster=TwoPeople())
WORKPLACE = View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), DOCUMENTS)
CHECKPOINT = replace(WORKPLACE, signed_must_be_listed=False)


def where(view: View, certificates: Any, within_s: float = 20) -> View:
    return replace(view, pairs=replace(view.pairs, certificates=certificates, within_s=within_s))


REQUIRED, ACCEPTED = where(WORKPLACE, "required"), where(CHECKPOINT, "accepted")


def show(view: View, *scans: tuple[float, str, str | bytes]) -> tuple[list[Decision], View]:
    """What the gate answers to codes at (second, reader, payload); a reader called out... leads out."""
    decisions = []
    for second, reader, payload in scans:
        now = Now(support_health.IN_TIME + timedelta(seconds=second), 1000.0 + second)
        view = forget(view, now)
        direction = Direction.EXIT if reader.startswith("out") else Direction.ENTRY
        data = payload if isinstance(payload, bytes) else payload.encode()
        decision, view = answer(Scan(reader, direction, data, now.mono), view, now)
        decisions.append(decision)
    return decisions, view


def reasons(view: View, *scans: tuple[float, str, str | bytes]) -> list[Reason]:
    return [decision.reason for decision in show(view, *scans)[0]]


NEEDED, GRANTED = Reason.NEEDS_SECOND_CODE, Reason.GRANTED


@pytest.mark.parametrize("codes", [(CERTIFICATE, DUY), (DUY, CERTIFICATE)], ids=["certificate-first", "card-first"])
def test_both_codes_of_one_person_open_in_either_order(codes: tuple[str | bytes, str | bytes]) -> None:
    (first, second), after = show(REQUIRED, (0, "in", codes[0]), (5, "in", codes[1]))
    assert (first.reason, first.granted) == (NEEDED, False)
    assert (second.granted, second.holder, second.proof) == (True, "duy", Proof.LISTED)
    assert not after.pairs.held


def test_at_a_checkpoint_the_pair_opens_for_whom_nobody_lists() -> None:
    (_, second), _ = show(ACCEPTED, (0, "in", DUY_UNLISTED), (5, "in", CERTIFICATE))
    assert (second.granted, second.holder, second.proof) == (True, "", Proof.SIGNED)


def test_where_everybody_must_be_listed_a_pair_opens_for_no_stranger() -> None:
    unlisted = reasons(where(WORKPLACE, "accepted"), (0, "in", CERTIFICATE), (5, "in", DUY_UNLISTED))
    assert unlisted == [NEEDED, Reason.UNKNOWN_CREDENTIAL]
    assert reasons(where(WORKPLACE, "accepted"), (0, "in", DUY_UNLISTED)) == [Reason.UNKNOWN_CREDENTIAL]


def test_where_certificates_are_ignored_two_codes_are_worth_no_more_than_each() -> None:
    assert reasons(CHECKPOINT, (0, "in", CERTIFICATE), (5, "in", DUY_UNLISTED)) == [Reason.UNKNOWN_CREDENTIAL] * 2


def test_a_listed_card_alone_opens_only_where_no_certificate_is_required() -> None:
    assert reasons(where(WORKPLACE, "accepted"), (0, "in", DUY)) == [GRANTED]
    assert reasons(REQUIRED, (0, "in", DUY)) == [NEEDED]


def test_a_signed_pass_stands_by_itself() -> None:
    assert reasons(REQUIRED, (0, "in", PASS)) == [GRANTED]


def test_names_match_across_papers_and_a_masked_birth_date_may_complete_them() -> None:
    other = shc(card(immunization("2021-09-18")))
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (1, "in", DUY_QR)) == [NEEDED, GRANTED]
    assert reasons(REQUIRED, (0, "in", other), (1, "in", DUY)) == [NEEDED, GRANTED]


@pytest.mark.parametrize("body", [
    BODY | {"dob": "1983-10-11"}, BODY | {"dob": "1984"}, BODY | {"dob": ""},
    BODY | {"nam": {"fnt": "NGUYEN", "gnt": "BAO<DAI"}},
], ids=["birth-day", "birth-year", "no-birth", "name"])
def test_another_name_or_birth_date_makes_no_pair_and_the_lane_says_so(body: dict[str, Any]) -> None:
    (_, second), _ = show(ACCEPTED, (0, "in", hc1(cwt(body))), (5, "in", DUY_UNLISTED))
    assert (second.reason, second.hint) == (NEEDED, "another-person")
    assert hint_words(second.hint)


def test_the_first_code_says_which_one_is_missing() -> None:
    hints = [show(ACCEPTED, (0, "in", code))[0][0].hint for code in (CERTIFICATE, DUY_UNLISTED)]
    assert hints == ["after-certificate", "after-identity"]
    assert all(hint_words(hint) for hint in hints)


def test_a_year_alone_on_the_certificate_is_enough_of_a_birth_date() -> None:
    assert reasons(REQUIRED, (0, "in", hc1(cwt(BODY | {"dob": "1983"}))), (5, "in", DUY)) == [NEEDED, GRANTED]


@pytest.mark.parametrize(("second", "reason"), [(19.9, GRANTED), (20, NEEDED)])
def test_the_first_code_waits_no_longer_than_the_window(second: float, reason: Reason) -> None:
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (second, "in", DUY)) == [NEEDED, reason]


def test_another_person_in_between_begins_anew() -> None:
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (3, "in", BINH), (5, "in", DUY)) == [NEEDED] * 3
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (3, "in", PASS), (5, "in", DUY)) == [NEEDED, GRANTED, NEEDED]


def test_a_code_that_is_nobodys_in_between_changes_nothing() -> None:
    shop = "https://example.org/"
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (3, "in", shop), (5, "in", DUY)) == [
        NEEDED, Reason.WRONG_CODE, GRANTED]


def test_the_second_code_may_come_at_another_reader_of_the_same_direction() -> None:
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (5, "in-2", DUY)) == [NEEDED, GRANTED]


def test_two_people_at_two_readers_do_not_disturb_each_other() -> None:
    binhs = hc1(cwt(BODY | {"dob": "1990-02-03", "nam": {"fnt": "TRAN", "gnt": "VAN<BINH"}}))
    (*_, duy, binh), after = show(
        REQUIRED, (0, "in", CERTIFICATE), (1, "in-2", BINH), (2, "in", DUY), (3, "in-2", binhs))
    assert (duy.granted, duy.holder, binh.granted, binh.holder) == (True, "duy", True, "binh")
    assert not after.pairs.held


def test_a_pair_opens_once() -> None:
    shown = reasons(REQUIRED, (0, "in", CERTIFICATE), (2, "in", DUY), (4, "in", DUY), (6, "in", CERTIFICATE))
    assert shown == [NEEDED, GRANTED, NEEDED, GRANTED]


def test_a_way_out_needs_one_code_and_makes_no_pair() -> None:
    assert reasons(REQUIRED, (0, "out", CERTIFICATE), (1, "out", DUY)) == [GRANTED, GRANTED]
    assert reasons(REQUIRED, (0, "in", CERTIFICATE), (1, "out", DUY), (2, "in", DUY)) == [NEEDED, GRANTED, GRANTED]


@pytest.mark.parametrize(("certificate", "reason"), [
    (hc1(cwt(exp=1_790_000_000)), Reason.EXPIRED), (hc1(kid=b"\0" * 8), Reason.UNKNOWN_KEY),
])
def test_a_certificate_that_is_not_in_force_completes_nothing(certificate: bytes, reason: Reason) -> None:
    assert reasons(REQUIRED, (0, "in", DUY), (2, "in", certificate)) == [NEEDED, reason]


def test_a_withdrawn_certificate_completes_nothing() -> None:
    revocations = Revocations(keys=frozenset({key_id(support_health.KID)}))
    revoked = replace(REQUIRED, documents=replace(DOCUMENTS, revocations=revocations))
    assert reasons(revoked, (0, "in", DUY), (2, "in", CERTIFICATE)) == [NEEDED, Reason.REVOKED]


def test_an_area_that_the_listed_person_may_not_enter_stays_closed_to_the_pair() -> None:
    assert reasons(replace(REQUIRED, area="kho"), (0, "in", CERTIFICATE), (2, "in", DUY)) == [
        NEEDED, Reason.NO_ACCESS_RIGHTS]


def test_nothing_of_a_person_is_kept_after_the_window_or_shown_by_what_is_kept() -> None:
    _, after = show(ACCEPTED, (0, "in", CERTIFICATE), (1, "in-2", DUY_UNLISTED.replace("NGUYEN BAO DUY", "LE VAN LA")))
    assert len(after.pairs.held) == 2
    assert not any(word in repr(after.pairs) for word in ("NGUYEN", "Nguyễn", "Duy", "LE VAN LA", "1983", "J07BX03"))
    later = forget(after, Now(support_health.IN_TIME, 1021.0))
    assert not later.pairs.held
    assert forget(later, Now(support_health.IN_TIME, 1021.0)) is later


def test_each_reader_holds_one_code_at_most() -> None:
    people = [STRANGER.replace("LE VAN LA", f"LE VAN {chr(65 + n)}") for n in range(20)]
    _, after = show(ACCEPTED, *((n / 10, "in", person) for n, person in enumerate(people)))
    assert len(after.pairs.held) == 1


PEOPLE = {
    "duy": {"certificate": CERTIFICATE, "card": DUY},
    "binh": {"certificate": hc1(cwt(BODY | {"dob": "1990-02-03", "nam": {"fnt": "TRAN", "gnt": "VAN<BINH"}})),
             "card": BINH},
}


@given(st.lists(st.tuples(
    st.integers(0, 25), st.sampled_from(["in", "in-2"]), st.sampled_from(list(PEOPLE)),
    st.sampled_from(["certificate", "card"])), max_size=12))
def test_in_any_order_only_both_codes_of_one_person_open_and_each_counts_once(
    scans: list[tuple[int, str, str, str]],
) -> None:
    waiting: dict[str, tuple[str, str, int]] = {}
    view, second = REQUIRED, 0
    for pause_s, reader, person, part in scans:
        second += pause_s
        waiting = {place: half for place, half in waiting.items() if second - half[2] < 20}
        partner = next((place for place, half in reversed(waiting.items())
                        if half[0] == person and half[1] != part), None)
        (decision,), view = show(view, (second, reader, PEOPLE[person][part]))
        assert decision.granted == (partner is not None)
        assert decision.holder == (person if decision.granted or part == "card" else "")
        waiting.pop(reader, None)
        if partner is None:
            waiting[reader] = (person, part, second)
        else:
            waiting.pop(partner, None)


# --- with a health pack --------------------------------------------------------------------------------


DOSE_ASKED, ISOLATION_ASKED = "hcm-2021-10-01", "declared-today"


class WithRecord(TwoPeople):
    """The same two people, of whom the site keeps this health record."""

    def __init__(self, **record: Any) -> None:
        self.record = record

    def holder(self, holder: str) -> RosterEntry | None:
        entry = super().holder(holder)
        return replace(entry, facts={"health": self.record}) if entry else None


def asking(pack: str, certificates: str, roster: TwoPeople) -> View:
    packs = {pack: pack_from_json(read_pack(pack))}
    view = replace(WORKPLACE, documents=replace(DOCUMENTS, roster=roster, packs=packs), health=HealthPolicy((pack,)))
    return where(view, certificates)


def test_a_certificate_beside_the_card_meets_the_health_rule_that_the_roster_does_not() -> None:
    (alone, joined), _ = show(asking(DOSE_ASKED, "accepted", TwoPeople()), (0, "in", DUY), (5, "in", CERTIFICATE))
    assert (alone.reason, alone.rule, alone.hint) == (NEEDED, "hcm-2021-10-01.1", "after-identity")
    assert (joined.granted, joined.holder) == (True, "duy")


def test_where_certificates_are_ignored_the_health_rule_stands() -> None:
    shown = reasons(asking(DOSE_ASKED, "ignored", TwoPeople()), (0, "in", DUY), (5, "in", CERTIFICATE))
    assert shown == [Reason.HEALTH_RULE, Reason.UNKNOWN_CREDENTIAL]


def test_a_pair_that_does_not_meet_the_health_rule_is_refused_for_good() -> None:
    young = hc1(cwt(BODY | {"v": [VACCINATION | {"dt": "2026-11-20"}]}))
    assert reasons(asking(DOSE_ASKED, "accepted", TwoPeople()), (0, "in", DUY), (5, "in", young)) == [
        NEEDED, Reason.HEALTH_RULE]


def test_whoever_the_operators_must_hear_of_is_asked_for_no_second_code() -> None:
    isolated = WithRecord(isolation={"from": "2026-11-20"}, declaration={"at": "2026-11-23T00:00:00Z"})
    (decision,), _ = show(asking(ISOLATION_ASKED, "accepted", isolated), (0, "in", DUY))
    assert (decision.reason, decision.alerts) == (Reason.HEALTH_RULE, True)
