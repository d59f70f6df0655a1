"""What the core does when it is commanded: one small function a verb, on the core's thread.

Each order is remembered as taken before anything is done, so that not even a kill in between has it done twice. What
came of it is recorded with who asked and why, and said to whoever waits for it.
"""

from __future__ import annotations

from collections.abc import Callable

from gate import wire
from gate.controller import Controller
from gate.model import Decision, Direction, EventKind, Mode, Now, Reason, Record, SetMode, Show, Signal
from gate.order import Order, Refusal, RefusedCommandError, Verb

COUNTERS = "command-counters"
"""The ledger's key for the last counter of each operator's key."""

Reply = Callable[[str, wire.Reply], None]


class Obedience:
    """Carries out orders; `reread` looks for new documents, and is None where they come by hand."""

    def __init__(self, reply: Reply, reread: Callable[[], None] | None = None) -> None:
        self._reply = reply
        self.reread = reread

    def __call__(self, core: Controller, order: Order, now: Now) -> None:
        """Do it, record it, answer."""
        core.hands.ledger.remember(COUNTERS, order.kept)
        try:
            detail, refusal = DUTIES[order.verb](self, core, order, now), None
        except RefusedCommandError as error:
            detail, refusal = error.detail, error.refusal
        data = {"verb": order.verb.value, "actor": order.actor, "cause": order.cause, "holder": order.holder,
                "area": order.area, "refusal": refusal or "", "detail": detail}
        core.carry_out([Record(EventKind.COMMAND, {key: value for key, value in data.items() if value})], now)
        self._reply(order.client, wire.Reply(
            command=order.number, verb=order.verb.value, done=refusal is None, refusal=refusal or "", detail=detail))

    def open(self, core: Controller, order: Order, now: Now) -> str:
        """Let one person through, named or not, as if a code had been granted; says whether they wait for the lane."""
        if core.lane.mode is Mode.LOCKDOWN and not order.exit:
            raise RefusedCommandError(Refusal.LOCKDOWN)
        decision = Decision(
            granted=True, reason=Reason.GRANTED, direction=Direction.EXIT if order.exit else Direction.ENTRY,
            reader="command", holder=order.holder, company=_company_of(core, order.holder),
            rule=f"command-{order.verb.value}", actor=order.actor, cause=order.cause)
        core.follow(decision, now)
        if core.lane.passer is decision:
            return ""
        if any(waiting.decision is decision for waiting in core.lane.pending):
            return "after whoever has the lane now"
        raise RefusedCommandError(Refusal.LANE, core.lane.state.value)

    def open_for(self, core: Controller, order: Order, now: Now) -> str:
        """Keep the lane free for some minutes, as a lease that the core renews each second."""
        if core.lane.mode is Mode.LOCKDOWN:
            raise RefusedCommandError(Refusal.LOCKDOWN)
        return self._set_mode(core, SetMode(Mode.FREE, order.actor, order.cause, order.open_s), now)

    def lockdown(self, core: Controller, order: Order, now: Now) -> str:
        """Let nobody in; whoever leaves goes."""
        return self._set_mode(core, SetMode(Mode.LOCKDOWN, order.actor, order.cause), now)

    def evacuate(self, core: Controller, order: Order, now: Now) -> str:
        """Free the lane until told otherwise, restarts included."""
        return self._set_mode(core, SetMode(Mode.FREE, order.actor, order.cause), now)

    def normal(self, core: Controller, order: Order, now: Now) -> str:
        """End lockdown, evacuation and timed opening."""
        return self._set_mode(core, SetMode(Mode.NORMAL, order.actor, order.cause), now)

    def reset_passback(self, core: Controller, order: Order, now: Now) -> str:
        """Have one person, those in an area, or everybody count as being before this gate."""
        if core.passages is None:
            raise RefusedCommandError(Refusal.NO_PRESENCE)
        return f"holders: {core.passages.reset(now, holder=order.holder, area=order.area)}"

    def identify(self, core: Controller, _order: Order, now: Now) -> str:
        """Blink."""
        core.carry_out([Show(Signal.IDENTIFY)], now)
        return ""

    def documents(self, _core: Controller, _order: Order, _now: Now) -> str:
        """Look for new documents now."""
        if self.reread is None:
            raise RefusedCommandError(Refusal.BY_HAND)
        self.reread()
        return ""

    def restart(self, core: Controller, _order: Order, _now: Now) -> str:
        """End in peace; systemd starts the gate again."""
        core.stopping = True
        return ""

    @staticmethod
    def _set_mode(core: Controller, wanted: SetMode, now: Now) -> str:
        core.follow(core.understand(wanted, now), now)
        return ""


def _company_of(core: Controller, holder: str) -> str:
    """The company that quotas count the holder with; in an emergency the roster's disk is not waited for."""
    if not holder or core.lane.emergency:
        return ""
    try:
        entry = core.view.documents.roster.holder(holder)
    except Exception:  # a damaged roster keeps nobody from being let in by hand
        return ""
    return entry.company if entry else ""


DUTIES: dict[Verb, Callable[[Obedience, Controller, Order, Now], str]] = {
    Verb.OPEN: Obedience.open,
    Verb.OVERRIDE: Obedience.open,
    Verb.OPEN_FOR: Obedience.open_for,
    Verb.LOCKDOWN: Obedience.lockdown,
    Verb.EVACUATE: Obedience.evacuate,
    Verb.NORMAL: Obedience.normal,
    Verb.RESET_PASSBACK: Obedience.reset_passback,
    Verb.IDENTIFY: Obedience.identify,
    Verb.DOCUMENTS: Obedience.documents,
    Verb.RESTART: Obedience.restart,
}
