"""The mechanisms that promises rest on, how each is taken out, and the proof that has to fail then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """In `file` (under `gate/`) `text`, which stands there once, is replaced by `instead`; `proof` is a pytest id."""

    mechanism: str
    file: str
    text: str
    instead: str
    proof: str


STUCK_LEDGER = "tests/test_kill.py::test_while_the_ledger_is_stuck_nobody_is_let_in_and_a_way_out_survives_the_kill"
ATTACK = "tests/test_documents.py::test_an_attack_is_named_and_leaves_what_was_in_force"

CASES = (
    Case("a grant waits for its record",
         "effector.py", "if ticket is None or not ticket.wait(self.patience.write_max_s):", "if ticket is None:",
         STUCK_LEDGER),
    Case("a ticket is good only once the record is committed",
         "ledger/writer.py", "            self._queue.put(item)\n",
         "            self._queue.put(item)\n            item.ticket.complete(0)\n",
         STUCK_LEDGER),
    Case("a way out is noted before the relay moves",
         "ledger/ledger.py", "if way_out and (noted :=", "if False and (noted :=",
         STUCK_LEDGER),
    Case("a way out waits for nothing",
         "effector.py", "case model.Release(must_record=True):", "case model.Release():",
         "tests/test_scenarios.py::test_scenario_goes_as_it_says[slow_disk_lets_out]"),
    Case("what is written is flushed to the disk",
         "ledger/flusher.py", "self._fdatasync(self._wal)", "pass",
         "tests/test_ledger.py::test_a_failed_flush_is_fatal_and_never_tried_again"),
    Case("the feed carries only what is flushed",
         "ledger/ledger.py", "self._reader.rows_after(seq, limit, self.flushed_seq)",
         "self._reader.rows_after(seq, limit)",
         "tests/test_ledger.py::test_a_slow_flush_delays_no_ticket_and_its_rows_are_not_offered"),
    Case("a pass is believed only under its issuer's signature",
         "trust/proof.py", 'raise ForgedError("the signature does not match what is signed")',
         "return Proved(message.payload, keys[0])",
         "tests/test_admission.py::test_a_pass_changed_in_one_character_is_denied"),
    Case("an exception inside admission denies",
         "admission.py", "except Exception as error:  # law 3", "except (Denied, CodeError) as error:  # law 3",
         "tests/test_admission.py::test_an_exception_in_any_step_denies_with_internal_error"),
    Case("guesses at a keypad lock it",
         "admission.py", "if not case.leaving and case.view.attempts.locked(case.scan.reader, case.now.mono):",
         "if False:",
         "tests/test_admission.py::test_guesses_at_a_keypad_lock_it_and_no_other_reader"),
    Case("a release ends at the cut-off",
         "drivers/release.py", "self.until_mono = min(latest, self._since_mono + self.max_on_s)",
         "self.until_mono = latest",
         "tests/drivers/test_relay.py::test_release_always_ends_within_the_cut_off_of_its_beginning_or_last_lease"),
    Case("the barrier is locked when the daemon is dead",
         "drivers/release_guardian.py", "return 0 if lock(order, barrier) else 3", "return 0",
         "tests/drivers/test_release_guard.py::test_kill_in_the_middle_of_a_release_locks_without_any_help_from_systemd"),
    Case("a daemon that hangs in a release is killed",
         "drivers/release_guardian.py", "signal.pidfd_send_signal(daemon, signal.SIGKILL)", "pass",
         "tests/drivers/test_release_guard.py::test_hung_daemon_is_killed_and_its_release_ended"),
    Case("a lease that is not renewed drops",
         "drivers/relay.py", "fault = self._secure(lock for lock in self._distinct() if lock.release.due(now))",
         "fault = None",
         "tests/drivers/test_relay.py::test_hold_is_dropped_when_its_lease_is_not_renewed"),
    Case("a camera that shows no new frame is replaced",
         "drivers/camera.py", "if mono > self._deadline_mono:", "if False:",
         "tests/drivers/test_camera.py::test_process_that_shows_only_old_frames_is_left"),
    Case("a code on the serial line has a longest length",
         "decoder/framing.py", "if self._overlong or len(self._frame) + len(part) > self._max_bytes:",
         "if self._overlong:",
         "tests/decoder/test_framing.py::test_overlong_frame_is_dropped_up_to_its_boundary_and_counted_once"),
    Case("a number on the keypad has a longest length",
         "drivers/keypad.py", "if len(self._digits) == self._digits_max:", "if False:",
         "tests/drivers/test_keypad.py::test_number_that_is_too_long_is_counted_not_shortened"),
    Case("documents are never older than those verified before",
         "documents/importing.py", 'if (folder / "trust").exists():', "if False:", ATTACK),
    Case("the recorder knows an event that it has",
         "central/feed.py", "            return None if same else", "            return (None, True) if same else",
         "tests/central/test_recorder.py::test_repeated_and_retained_batches_are_stored_once"),
    Case("the recorder proves the chain",
         "central/feed.py", "elif prev != self.last_hash:", "elif False:",
         "tests/central/test_recorder.py::test_fork_and_broken_chain_raise_alerts_and_change_nothing"),
    Case("an acknowledgement is believed only under the recorder's signature",
         "acks.py", "signed = verify1(message, key.public_key)", "signed = message.payload",
         "tests/test_uplink.py::test_false_acknowledgement_lets_the_ledger_forget_nothing"),
    Case("a retained acknowledgement is not heard",
         "uplink.py", "case Arrived(topic=self._ack_topic, retained=False, payload=payload):",
         "case Arrived(topic=self._ack_topic, payload=payload):",
         "tests/test_uplink.py::test_retained_acknowledgement_is_not_heard"),
)
