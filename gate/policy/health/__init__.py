"""Health as signed policy packs: dated sets of CertLogic rules over one health record. Pure.

    record     what is known of a person's health, the same from a scanned certificate and from the roster
    pack       a pack as it is published, and as it is compiled, once
    moment     what a rule may know beside the record: the local day, the roles, who is inside
    verdict    which rules of a pack refuse somebody
    rule       the packs of a gate as one rule of admission, enforced or only observed
    cases      a pack's own table of people and moments, which has to come out as it says
    certlogic  the rule language, compiled;  certlogic_format: what is well formed;  date_times: its days and hours

The packs that are shipped lie in `packs/`, each beside its table of cases.
"""
