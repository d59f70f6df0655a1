"""Who may pass: one scan, one view, one moment in; one decision out. Pure, and it fails closed.

    1 lockout   a reader at which codes were guessed answers nothing for a while
    2 parse     which format, and what it claims                           (decoder)
    3 trust     whose signature, checked before the claims are read        (trust);
                a pass that is bound to a phone is signed by that phone, just now
    4 roster    who that is to this site; on the way out it is asked no more than who
    5 pair      a certificate and an identity code of one person, shown one after the other
    6 proof     signed, listed or only claimed: enough for this gate?
    7 rules     lockdown, revocation, validity, area, hours ... in order   (policy)

A step passes the case on, or raises: `Denied` with the reason, or a `CodeError` that maps to one. Any other
exception is our own fault and denies with INTERNAL_ERROR, so that a bug never opens the gate (law 3).

A way out needs a code that some format reads, and no more: steps 3 and 4 only try to name the person, and
what fails there is noted in the trace. An expired, revoked, unlisted or isolated person always gets out, also
while the roster's disk is failing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from msgspec import Struct, structs

from gate import decoder, trust
from gate.decoder import card
from gate.decoder.number_code import under_duress
from gate.errors import CodeError
from gate.model import Claims, Credential, Decision, Direction, Now, Proof, Reason, RosterEntry, Scan, Step, Token
from gate.policy import anti_passback
from gate.policy.attempts import GUESSES
from gate.policy.context import Context, Objection
from gate.policy.health import rule as health
from gate.policy.pairs import Half, Part, half_of
from gate.policy.rules import judge
from gate.policy.visits import visit_of
from gate.view import View


class Case(Struct, frozen=True):  # copied at each step, and a Struct costs a thirtieth of a dataclass there
    """One scan on its way through the steps, with what each has added."""

    scan: Scan
    view: View
    now: Now
    token: Token | None = None
    claims: Claims | None = None
    entry: RosterEntry | None = None
    half: Half | None = None
    partner: Half | None = None
    credential: Credential | None = None
    observed: tuple[str, ...] = ()
    duress: bool = False

    @property
    def leaving(self) -> bool:
        """Whether this is a way out."""
        return self.scan.direction is Direction.EXIT


class Denied(Exception):  # noqa: N818  (an answer, not an error)
    """A step's refusal."""

    def __init__(self, reason: Reason, rule: str = "", alerts: bool = False, hint: str = "") -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.rule = rule
        self.alerts = alerts
        self.hint = hint


def lockout(case: Case) -> Case:
    """1. Answer nothing at a locked reader, so that it is no oracle; a way out is never locked."""
    if not case.leaving and case.view.attempts.locked(case.scan.reader, case.now.mono):
        raise Denied(Reason.LOCKOUT, "attempts")
    return case


def parse(case: Case) -> Case:
    """2. Find the one format that claims the payload and let it read; a card is one only at a reader of cards."""
    if case.scan.card:
        return structs.replace(case, token=card.parse(case.scan.payload))
    meant = under_duress(case.scan.payload) if case.view.duress_codes else None
    return structs.replace(case, token=decoder.read(meant or case.scan.payload), duress=meant is not None)


def check_signature(case: Case) -> Case:
    """3. Check the signature of a signed token, a phone's too; a token that carries none passes on unproved."""
    assert case.token is not None
    claims, live_codes = trust.verify(case.token, case.view.documents.keyring), case.view.live_codes
    if claims is not None and (fault := live_codes.fault(claims, case.now)):
        raise Denied(Reason.NOT_LIVE, f"live-code-{fault}")
    if claims is not None and not case.leaving and live_codes.used(claims):
        raise Denied(Reason.NOT_LIVE, "live-code-used")
    return structs.replace(case, claims=claims)


def look_up(case: Case) -> Case:
    """4. Ask the signed roster for the holder: by the signed subject, else by what the code claims."""
    assert case.token is not None
    roster = case.view.documents.roster
    entry = roster.holder(case.claims.subject) if case.claims else roster.find(case.token.identifiers)
    return structs.replace(case, entry=entry)


def pair_up(case: Case) -> Case:
    """5. Where certificates count, take a code together with the one shown before it, if both are one person's."""
    assert case.token is not None
    pairs = case.view.pairs
    if case.leaving or pairs.certificates == "ignored":
        return case
    half = half_of(case.scan, case.token, case.claims, case.entry)
    partner = pairs.partner(half, case.now.mono) if half else None
    if half is None or partner is None:
        return structs.replace(case, half=half)
    claims, entry = half.claims or partner.claims, half.entry or partner.entry
    if claims is not None and entry is None and not case.view.signed_must_be_listed:
        # Neither paper names an area: it is the site that gives its own to whoever shows both.
        claims = replace(claims, areas=frozenset({case.view.area}))
    return structs.replace(case, half=half, partner=partner, claims=claims, entry=entry)


def weigh_proof(case: Case) -> Case:
    """6. Say how strongly the person is known, and refuse less than the gate asks for."""
    assert case.token is not None
    claims, entry, view = case.claims, case.entry, case.view
    # In a pair the identity code says who it is, and that stands in the list or nowhere.
    signed = claims is not None and not (case.partner and entry)
    proof = Proof.SIGNED if signed else Proof.LISTED if entry else Proof.CLAIMED
    holder = entry.holder if entry else claims.subject if claims else ""
    credential = Credential(case.token.format, proof, holder, claims, entry)
    if not case.leaving:
        # Without a subject (a health certificate) the signature vouches for facts, not for somebody's right to enter.
        named = claims is not None and (claims.subject or case.partner)
        if entry is None and (not named or view.signed_must_be_listed):
            raise _unknown(case)
        if proof not in view.accept:
            raise Denied(Reason.PROOF_TOO_WEAK)
    return structs.replace(case, credential=credential)


def apply_rules(case: Case) -> Case:
    """7. Let every rule that binds this direction speak, in order."""
    assert case.credential is not None
    context = Context(case.credential, case.scan.direction, case.view, case.now)
    refusal = judge(context)
    if refusal is not None:
        raise _asks_for_certificate(case, refusal) or Denied(refusal.reason, refusal.rule, refusal.alerts)
    return case if case.leaving else structs.replace(
        case, observed=(*health.observed(context), *anti_passback.observed(context)))


def _unknown(case: Case) -> Denied:
    """Why somebody is refused whom nothing names: for good, or until the other half of a pair is shown."""
    half = case.half
    if half is None or case.partner or (half.part is Part.IDENTITY and case.view.signed_must_be_listed):
        return Denied(Reason.UNKNOWN_CREDENTIAL)
    return _needs_second(case, "pair")


def _asks_for_certificate(case: Case, refusal: Objection) -> Denied | None:
    """A refusal that a certificate may mend, as far as this gate looks at any; one that calls the operators stands."""
    if refusal.reason is Reason.NEEDS_SECOND_CODE or (
        refusal.reason is Reason.HEALTH_RULE and not refusal.alerts
        and case.half is not None and case.half.part is Part.IDENTITY and case.partner is None
    ):
        return _needs_second(case, refusal.rule)
    return None


def _needs_second(case: Case, rule: str) -> Denied:
    """The refusal that ends when the other half of a pair is shown; its hint says which that is."""
    half = case.half
    if half is not None and case.view.pairs.is_anothers(half, case.now.mono):
        return Denied(Reason.NEEDS_SECOND_CODE, rule, hint="another-person")
    return Denied(Reason.NEEDS_SECOND_CODE, rule, hint=f"after-{half.part.value if half else Part.IDENTITY.value}")


StepFunction = Callable[[Case], Case]
STEPS: tuple[StepFunction, ...] = (lockout, parse, check_signature, look_up, pair_up, weigh_proof, apply_rules)
NAMING: frozenset[StepFunction] = frozenset({check_signature, look_up})
"""The steps that only name the person; on the way out their failure does not keep anyone inside."""


def admit(scan: Scan, view: View, now: Now, steps: tuple[StepFunction, ...] = STEPS) -> Decision:
    """Decide on one scan; never raises, and grants only when every step passed the case on."""
    return answer(scan, view, now, steps)[0]


def answer(
    scan: Scan, view: View, now: Now, steps: tuple[StepFunction, ...] = STEPS,
) -> tuple[Decision, View]:
    """Decide on one scan, and give the view with what the next decision has to know of this one."""
    case, decision = _walk(Case(scan, view, now), steps)
    attempts, live_codes, pairs = view.attempts.after(decision, now.mono), view.live_codes, view.pairs
    if decision.granted and case.claims is not None and not case.leaving:
        live_codes = live_codes.after_entry(case.claims)
    if case.token is not None and not case.leaving:
        waits = case.half if decision.reason is Reason.NEEDS_SECOND_CODE else None
        pairs = pairs.after(scan.reader, case.partner, waits, now.mono)
    two_persons = view.two_persons.after(decision, now.mono)
    if (attempts, live_codes, pairs, two_persons) == (view.attempts, view.live_codes, view.pairs, view.two_persons):
        return decision, view
    return decision, replace(
        view, attempts=attempts, live_codes=live_codes, pairs=pairs, two_persons=two_persons)


def examine(scan: Scan, view: View, now: Now) -> Case:
    """How far a scan comes, with what each step adds: for whoever asks why."""
    return _walk(Case(scan, view, now), STEPS)[0]


def forget(view: View, now: Now) -> View:
    """The view without what was remembered of a person for a few seconds, once these are over."""
    pairs = view.pairs.at(now.mono)
    return view if pairs is view.pairs else replace(view, pairs=pairs)


def _walk(case: Case, steps: tuple[StepFunction, ...]) -> tuple[Case, Decision]:
    """Take a case through the steps; give how far it came, and the decision."""
    trace: list[Step] = []
    for number, step in enumerate(steps, 1):
        try:
            case = step(case)
            trace.append(Step(number, step.__name__, "passed"))
        except Exception as error:  # law 3: whatever it is, the answer is no
            refusal = _refusal(error)
            trace.append(Step(number, step.__name__, f"{refusal.reason.name}: {type(error).__name__}"))
            if not (case.leaving and step in NAMING):
                return case, _refuse(case, refusal, trace, getattr(error, "hint", ""))
    if not trace:
        return case, _refuse(case, Denied(Reason.INTERNAL_ERROR, "no-steps"), trace)
    return case, _decide(case, Reason.GRANTED, trace)


def _refusal(error: Exception) -> Denied:
    if isinstance(error, Denied):
        return error
    return Denied(trust.reason_of(error) if isinstance(error, CodeError) else Reason.INTERNAL_ERROR)


def _refuse(case: Case, refusal: Denied, trace: list[Step], hint: str = "") -> Decision:
    """The answer no; the guess that locks a reader hears so instead of why it was wrong."""
    if refusal.reason in GUESSES and case.view.attempts.locks_next(case.scan.reader):
        refusal = Denied(Reason.MAX_ATTEMPTS, "attempts")
    return replace(_decide(case, refusal.reason, trace, refusal.rule, hint), alerts=refusal.alerts)


def _decide(case: Case, reason: Reason, trace: list[Step], rule: str = "", hint: str = "") -> Decision:
    holder = case.entry.holder if case.entry else case.claims.subject if case.claims else ""
    granted, entering = reason is Reason.GRANTED, not case.leaving
    limited = entering and case.entry is not None and visit_of(case.entry).uses is not None
    return Decision(
        granted=granted, reason=reason, direction=case.scan.direction, reader=case.scan.reader,
        format=case.token.format if case.token else "",
        proof=case.credential.proof if case.credential else Proof.NONE,
        holder=holder, company=case.entry.company if case.entry else "",
        rule=rule, hint=hint, observed=case.observed, steps=tuple(trace),
        duress=case.duress and bool(holder),
        uses=case.view.uses.get(holder, 0) if limited else None,
        beside=case.view.two_persons.beside(holder, case.now.mono) if granted and entering else None,
    )
