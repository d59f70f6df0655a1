"""The gate: reads a code, proves what can be proved, decides with no network, moves the barrier, reports.

The flow, one type per arrow (all of them frozen, all in `gate.model`):

    Scan -> Token -> Credential -> Decision -> Effects -> Event
    reader  decoder  trust         admission   portal     ledger -> uplink -> recorder

Start reading at `gate.controller`: it is the whole flow in one file. Then `gate.admission` (who may pass)
and `gate.portal` (what the lane does), which are pure: time arrives as `now`, and nothing in them can block,
fail or lie. Everything that can lives at the edge and only hands the core a frozen fact.

The import rule, kept by `tests/test_imports.py`; a lower level never imports a higher one:

    5  __main__, cli, commands, app, demo, simulate, simulated_codes, scenario, central
    5  backup, wiring, doctor
    4  controller, rehearsal, obey, command_post, passages, effector, reporter, uplink, watchdog, documents
    4  lane_settings
    3  drivers, ledger, config, clock, inbox, mqtt_client, noticeboard, token_key, private_key, durable, pack_files
    2  admission, alarms, portal, presence, policy, trust, decoder, inspection, view, ports, texts, wire, acks, peers
    2  delivery, edge_notes, cose, cbor, cose_key, command_desk, jwk, jws, certificates, countries
    2  strict_json, explanation
    1  model, order, errors
"""

__version__ = "0.1.0"
