"""The lane's tables: every state, every input, and what follows. Pure data.

One row per state and input: the next state, then the actions in order (`gate.portal.actions`). The table
is total, and a test walks all of it. REST is no state but a question: free, passing while the door is still open,
locked down, or closed, by what is wished at that moment.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where the lane is."""

    CLOSED = "closed"
    RELEASED = "released"
    PASSING = "passing"
    HELD = "held"
    FORCED = "forced"
    LOCKED_DOWN = "locked_down"
    FREE = "free"
    REST = "rest"


class Input(StrEnum):
    """What can happen to a lane."""

    GRANT_ENTRY = "grant_entry"
    GRANT_EXIT = "grant_exit"
    DENY = "deny"
    OPENED = "opened"
    SHUT = "shut"
    REX = "rex"
    WISH_NORMAL = "wish_normal"
    WISH_LOCKDOWN = "wish_lockdown"
    WISH_FREE = "wish_free"
    PASSAGE_DUE = "passage_due"
    PREALARM_DUE = "prealarm_due"
    HELD_DUE = "held_due"
    LEASE_DUE = "lease_due"
    FLUSH_DUE = "flush_due"
    NOT_WRITTEN = "not_written"
    NOT_MOVED = "not_moved"


class Action(StrEnum):
    """What the portal does about it; each is one small function in `gate.portal.actions`."""

    RECORD_GRANT = "record_grant"
    RELEASE = "release"
    SHOW_GRANT = "show_grant"
    LET_OUT = "let_out"
    RECORD_DENY = "record_deny"
    SHOW_DENY = "show_deny"
    REFUSE_LOCKDOWN = "refuse_lockdown"
    QUEUE = "queue"
    RECORD_REX = "record_rex"
    RELEASE_REX = "release_rex"
    BEGIN = "begin"
    TAKEN = "taken"
    LAPSE = "lapse"
    WITHDRAW = "withdraw"
    TAKE_BACK = "take_back"
    FAULT = "fault"
    WARN = "warn"
    HELD_ALARM = "held_alarm"
    HELD_CLEAR = "held_clear"
    FORCED_ALARM = "forced_alarm"
    FORCED_CLEAR = "forced_clear"
    HOLD = "hold"
    SECURE = "secure"
    SHOW_FREE = "show_free"
    SHOW_LOCKDOWN = "show_lockdown"
    SHOW_IDLE = "show_idle"


class Row(NamedTuple):
    """The next state, and what to do on the way, in order."""

    next: State
    actions: tuple[Action, ...]


def go(state: State, *actions: Action) -> Row:
    """Move to `state`."""
    return Row(state, actions)


def ignored(state: State, *inputs: Input) -> dict[Input, Row]:
    """Inputs that change nothing in this state; written out so that the table stays total."""
    return {happened: Row(state, ()) for happened in inputs}


S, On, Do = State, Input, Action
GRANT = (Do.RECORD_GRANT, Do.RELEASE, Do.SHOW_GRANT)
DENY = (Do.RECORD_DENY, Do.SHOW_DENY)
EXIT_NOW = (Do.RECORD_REX, Do.RELEASE_REX)

TRANSITIONS: dict[State, dict[Input, Row]] = {
    S.CLOSED: {
        On.GRANT_ENTRY: go(S.RELEASED, *GRANT),
        On.GRANT_EXIT: go(S.RELEASED, *GRANT),
        On.DENY: go(S.CLOSED, *DENY),
        On.OPENED: go(S.FORCED, Do.FORCED_ALARM),
        On.REX: go(S.RELEASED, *EXIT_NOW),
        On.WISH_NORMAL: go(S.REST),
        On.WISH_LOCKDOWN: go(S.REST),
        On.WISH_FREE: go(S.REST),
        **ignored(S.CLOSED, On.SHUT, On.PASSAGE_DUE, On.PREALARM_DUE, On.HELD_DUE, On.LEASE_DUE, On.FLUSH_DUE,
                  On.NOT_WRITTEN, On.NOT_MOVED),
    },
    S.RELEASED: {
        On.GRANT_ENTRY: go(S.RELEASED, Do.QUEUE),
        On.GRANT_EXIT: go(S.RELEASED, Do.QUEUE),
        On.DENY: go(S.RELEASED, *DENY),
        On.OPENED: go(S.PASSING, Do.BEGIN),
        On.REX: go(S.RELEASED, *EXIT_NOW),
        On.WISH_LOCKDOWN: go(S.REST, Do.WITHDRAW),
        On.WISH_FREE: go(S.REST),
        On.PASSAGE_DUE: go(S.REST, Do.LAPSE),
        On.FLUSH_DUE: go(S.REST, Do.TAKE_BACK),
        On.NOT_WRITTEN: go(S.REST, Do.TAKE_BACK),
        On.NOT_MOVED: go(S.REST, Do.FAULT),
        **ignored(S.RELEASED, On.SHUT, On.WISH_NORMAL, On.PREALARM_DUE, On.HELD_DUE, On.LEASE_DUE),
    },
    S.PASSING: {
        On.GRANT_ENTRY: go(S.PASSING, Do.QUEUE),
        On.GRANT_EXIT: go(S.PASSING, Do.QUEUE),
        On.DENY: go(S.PASSING, *DENY),
        On.SHUT: go(S.REST, Do.TAKEN),
        On.REX: go(S.PASSING, *EXIT_NOW),
        On.WISH_FREE: go(S.REST),
        On.PREALARM_DUE: go(S.PASSING, Do.WARN),
        On.HELD_DUE: go(S.HELD, Do.HELD_ALARM),
        On.NOT_MOVED: go(S.PASSING, Do.FAULT),
        **ignored(S.PASSING, On.OPENED, On.WISH_NORMAL, On.WISH_LOCKDOWN, On.PASSAGE_DUE, On.LEASE_DUE,
                  On.FLUSH_DUE, On.NOT_WRITTEN),
    },
    S.HELD: {
        On.GRANT_ENTRY: go(S.HELD, Do.QUEUE),
        On.GRANT_EXIT: go(S.HELD, Do.LET_OUT),
        On.DENY: go(S.HELD, *DENY),
        On.SHUT: go(S.REST, Do.TAKEN, Do.HELD_CLEAR),
        On.REX: go(S.HELD, *EXIT_NOW),
        On.WISH_FREE: go(S.REST, Do.HELD_CLEAR),
        On.NOT_MOVED: go(S.HELD, Do.FAULT),
        **ignored(S.HELD, On.OPENED, On.WISH_NORMAL, On.WISH_LOCKDOWN, On.PASSAGE_DUE, On.PREALARM_DUE,
                  On.HELD_DUE, On.LEASE_DUE, On.FLUSH_DUE, On.NOT_WRITTEN),
    },
    S.FORCED: {
        On.GRANT_ENTRY: go(S.FORCED, Do.QUEUE),
        On.GRANT_EXIT: go(S.FORCED, Do.LET_OUT),
        On.DENY: go(S.FORCED, *DENY),
        On.SHUT: go(S.REST, Do.FORCED_CLEAR),
        On.REX: go(S.FORCED, *EXIT_NOW),
        On.WISH_FREE: go(S.REST, Do.FORCED_CLEAR),
        On.NOT_MOVED: go(S.FORCED, Do.FAULT),
        **ignored(S.FORCED, On.OPENED, On.WISH_NORMAL, On.WISH_LOCKDOWN, On.PASSAGE_DUE, On.PREALARM_DUE,
                  On.HELD_DUE, On.LEASE_DUE, On.FLUSH_DUE, On.NOT_WRITTEN),
    },
    S.LOCKED_DOWN: {
        On.GRANT_ENTRY: go(S.LOCKED_DOWN, Do.REFUSE_LOCKDOWN),
        On.GRANT_EXIT: go(S.RELEASED, *GRANT),
        On.DENY: go(S.LOCKED_DOWN, *DENY),
        On.OPENED: go(S.FORCED, Do.FORCED_ALARM),
        On.REX: go(S.RELEASED, *EXIT_NOW),
        On.WISH_NORMAL: go(S.REST),
        On.WISH_FREE: go(S.REST),
        **ignored(S.LOCKED_DOWN, On.SHUT, On.WISH_LOCKDOWN, On.PASSAGE_DUE, On.PREALARM_DUE, On.HELD_DUE,
                  On.LEASE_DUE, On.FLUSH_DUE, On.NOT_WRITTEN, On.NOT_MOVED),
    },
    S.FREE: {
        On.GRANT_ENTRY: go(S.FREE, Do.RECORD_GRANT, Do.SHOW_GRANT),
        On.GRANT_EXIT: go(S.FREE, Do.RECORD_GRANT, Do.SHOW_GRANT),
        On.DENY: go(S.FREE, Do.RECORD_DENY),
        On.SHUT: go(S.FREE, Do.TAKEN),
        On.WISH_NORMAL: go(S.REST),
        On.WISH_LOCKDOWN: go(S.REST),
        On.LEASE_DUE: go(S.FREE, Do.HOLD),
        On.NOT_MOVED: go(S.FREE, Do.FAULT),
        **ignored(S.FREE, On.OPENED, On.REX, On.WISH_FREE, On.PASSAGE_DUE, On.PREALARM_DUE, On.HELD_DUE,
                  On.FLUSH_DUE, On.NOT_WRITTEN),
    },
}

AT_REST: dict[State, tuple[Action, ...]] = {
    S.FREE: (Do.HOLD, Do.SHOW_FREE),
    S.PASSING: (Do.BEGIN,),
    S.LOCKED_DOWN: (Do.SECURE, Do.SHOW_LOCKDOWN),
    S.CLOSED: (Do.SECURE, Do.SHOW_IDLE),
}
"""What to do on coming to rest in each state that REST can turn out to be."""
