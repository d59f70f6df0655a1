"""A SMART Health Card's FHIR bundle as the one health record that policy uses. Pure.

Source: SMART Health Cards: Vaccination & Testing implementation guide; FHIR R4. A card may hold anything of a person's
health: only what is known to be about COVID-19 is read. It says less than an EU certificate, and what it does not say
(country, doses in the series) is absent from the entry, so that a rule which needs it is not met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gate.errors import MalformedError

_COVID_19 = "840539006"  # SNOMED CT, as in the EU value set disease-agent-targeted
_CVX, _LOINC, _SNOMED = "http://hl7.org/fhir/sid/cvx", "http://loinc.org", "http://snomed.info/sct"

_MODERNA, _PFIZER = "EU/1/20/1507", "EU/1/20/1528"
_PRODUCTS = {  # CVX -> the EU's vaccine-medicinal-product, where both name one product
    "207": _MODERNA, "221": _MODERNA, "227": _MODERNA, "228": _MODERNA, "229": _MODERNA, "230": _MODERNA,
    "311": _MODERNA, "312": _MODERNA,
    "208": _PFIZER, "217": _PFIZER, "218": _PFIZER, "219": _PFIZER, "300": _PFIZER, "301": _PFIZER, "302": _PFIZER,
    "308": _PFIZER, "309": _PFIZER, "310": _PFIZER,
    "210": "EU/1/21/1529", "211": "EU/1/21/1618", "313": "EU/1/21/1618", "212": "EU/1/20/1525",
    "502": "Covaxin", "505": "Sputnik-V", "506": "Convidecia", "510": "BBIBP-CorV", "511": "CoronaVac",
}
_COVID_19_VACCINES = _PRODUCTS.keys() | {"213", "225", "226", "500"} | {str(code) for code in range(501, 522)}
_NUCLEIC_ACID, _ANTIGEN = "LP6464-4", "LP217198-3"  # the EU's test-type
_TESTS = {  # LOINC -> test-type
    "94309-2": _NUCLEIC_ACID, "94500-6": _NUCLEIC_ACID, "94502-2": _NUCLEIC_ACID, "94533-7": _NUCLEIC_ACID,
    "94534-5": _NUCLEIC_ACID, "94565-9": _NUCLEIC_ACID, "94759-8": _NUCLEIC_ACID, "94845-5": _NUCLEIC_ACID,
    "95406-5": _NUCLEIC_ACID, "95608-6": _NUCLEIC_ACID,
    "94558-4": _ANTIGEN, "95209-3": _ANTIGEN, "96119-7": _ANTIGEN, "97097-0": _ANTIGEN,
}
_RESULTS = {  # SNOMED CT -> the EU's test-result
    "260373001": "260373001", "10828004": "260373001", "260415000": "260415000", "260385009": "260415000",
}

_DATE_TIME = re.compile(  # FHIR R4 2.24.0.1, dateTime
    r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01])(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-6][0-9]"
    r"(?:\.[0-9]+)?(?:Z|[+-][01][0-9]:[0-5][0-9]))?)?)?")


def read_record(bundle: dict[str, Any], issuer: str) -> dict[str, list[dict[str, Any]]]:
    """The record `{"v": [...], "t": [...], "r": []}`, doses numbered by their dates.

    Raises:
        MalformedError: a vaccination that was not given, or has no date; a test without date or result; either of
            somebody else than the card's patient.
    """
    patient = _patient_address(bundle)
    for kind, whose in (("Immunization", "patient"), ("Observation", "subject")):
        for resource in _resources(bundle, kind):
            _check_whose(resource.get(whose), patient)
    vaccinations = [
        _vaccination(resource, code, issuer) for resource in _resources(bundle, "Immunization")
        if (code := _code(resource.get("vaccineCode"), _CVX)) in _COVID_19_VACCINES
    ]
    vaccinations.sort(key=lambda vaccination: vaccination["dt"])
    for number, vaccination in enumerate(vaccinations, 1):
        vaccination["dn"] = number
    tests = [
        _test(resource, code, issuer) for resource in _resources(bundle, "Observation")
        if (code := _code(resource.get("code"), _LOINC)) in _TESTS
    ]
    return {"v": vaccinations, "t": tests, "r": []}


def read_person(bundle: dict[str, Any]) -> dict[str, Any]:
    """The holder: the patient of the bundle; a card that names nobody gives empty fields.

    Raises:
        MalformedError: several patients, or one without a name.
    """
    match list(_resources(bundle, "Patient")):
        case []:
            family, given, born = "", "", None
        case [{"name": [{"family": str(family)} as name, *_]} as patient]:
            given = " ".join(part for part in _list(name.get("given")) if isinstance(part, str))
            born = patient.get("birthDate")
        case _:
            raise MalformedError("a health card with several patients, or one without a name")
    return {
        "name": f"{family} {given}".strip(), "family_name": family, "given_name": given,
        "dob": born if isinstance(born, str) else "",
    }


def _resources(bundle: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    entries = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        raise MalformedError("a health card whose FHIR bundle has no entries")
    for entry in entries:
        match entry:
            case {"resource": {"resourceType": str(found)} as resource}:
                if found == kind:
                    _check_labels(resource)
                    yield resource
            case _:
                raise MalformedError("a health card with an entry that is no FHIR resource")


def _check_labels(resource: dict[str, Any]) -> None:
    """A security label (FHIR R4 6.1.1) says by its code how far a resource may be believed: unread, nobody knows."""
    meta = resource.get("meta")
    labels = _list(meta.get("security")) if isinstance(meta, dict) else []
    if not all(isinstance(label, dict) and isinstance(label.get("code"), str) for label in labels):
        raise MalformedError("a health card with a security label that has no code")


def _patient_address(bundle: dict[str, Any]) -> str | None:
    """How other entries call the patient (framework, "resource:0"), or None where nobody is named."""
    for entry in _list(bundle.get("entry")):
        match entry:
            case {"fullUrl": str(address), "resource": {"resourceType": "Patient"}}:
                return address
    return None


def _check_whose(reference: object, patient: str | None) -> None:
    match reference:
        case {"reference": str(named)} if patient is not None and named != patient:
            raise MalformedError("a health card with a vaccination or test of somebody else than its patient")


def _vaccination(resource: dict[str, Any], code: str, issuer: str) -> dict[str, Any]:
    match resource:
        case {"status": "completed", "occurrenceDateTime": str(day)} if _DATE_TIME.fullmatch(day):
            product = _PRODUCTS.get(code, f"cvx:{code}")
            return {"tg": _COVID_19, "mp": product, "dt": day, "is": _performer(resource, issuer)}
    raise MalformedError("a health card with a vaccination that is not completed, or without its date")


def _test(resource: dict[str, Any], code: str, issuer: str) -> dict[str, Any]:
    result = _code(resource.get("valueCodeableConcept"), _SNOMED)
    match resource:
        case {"status": "final" | "amended" | "corrected", "effectiveDateTime": str(taken)} if (
                result and _DATE_TIME.fullmatch(taken)):
            return {
                "tg": _COVID_19, "tt": _TESTS[code], "sc": taken, "tr": _RESULTS.get(result, f"snomed:{result}"),
                "is": _performer(resource, issuer),
            }
    raise MalformedError("a health card with a test that is not final, or without its date or result")


def _code(concept: object, system: str) -> str:
    """The code of one system in a CodeableConcept; empty when it has codes of others only.

    Raises:
        MalformedError: it has none at all.
    """
    codings = _list(concept.get("coding")) if isinstance(concept, dict) else []
    if not codings:
        raise MalformedError("a health card with a vaccine, a test or a result that has no code")
    for coding in codings:
        match coding:
            case {"system": str(found), "code": str(code)} if found == system:
                return code
    return ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _performer(resource: dict[str, Any], issuer: str) -> str:
    match resource.get("performer"):
        case [{"actor": {"display": str(name)}}, *_] | [{"display": str(name)}, *_]:
            return name
    return issuer
