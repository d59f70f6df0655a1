"""A SMART Health Card's FHIR bundle as the one health record that policy uses. Pure.

Source: SMART Health Cards: Vaccination & Testing implementation guide; FHIR R4. A card says less than an EU
certificate: what it does not say (country, doses in the series) is absent from the entry, so that a rule which
needs it is not met.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gate.errors import MalformedError

_COVID_19 = "840539006"  # SNOMED CT, as in the EU value set disease-agent-targeted
_CVX, _LOINC, _SNOMED = "http://hl7.org/fhir/sid/cvx", "http://loinc.org", "http://snomed.info/sct"
_PRODUCTS = {  # CVX -> the EU's vaccine-medicinal-product, where both name one product
    "207": "EU/1/20/1507", "208": "EU/1/20/1528", "210": "EU/1/21/1529", "211": "EU/1/21/1618", "212": "EU/1/20/1525",
    "217": "EU/1/20/1528", "218": "EU/1/20/1528", "219": "EU/1/20/1528", "221": "EU/1/20/1507", "228": "EU/1/20/1507",
    "229": "EU/1/20/1507", "300": "EU/1/20/1528", "301": "EU/1/20/1528", "302": "EU/1/20/1528",
    "510": "BBIBP-CorV", "511": "CoronaVac", "502": "Covaxin",
}
_RESULTS = {  # SNOMED CT -> the EU's test-result
    "260373001": "260373001", "10828004": "260373001", "260415000": "260415000", "260385009": "260415000",
}


def read_record(bundle: dict[str, Any], issuer: str) -> dict[str, list[dict[str, Any]]]:
    """The record `{"v": [...], "t": [...], "r": []}`, doses numbered by their dates.

    Raises:
        MalformedError: an immunization that was not given, or without its vaccine or date; a result without a date.
    """
    vaccinations = sorted(
        (_vaccination(resource, issuer) for resource in _resources(bundle, "Immunization")), key=lambda v: v["dt"],
    )
    for number, vaccination in enumerate(vaccinations, 1):
        vaccination["dn"] = number
    return {
        "v": vaccinations, "t": [_test(resource, issuer) for resource in _resources(bundle, "Observation")], "r": [],
    }


def read_person(bundle: dict[str, Any]) -> dict[str, Any]:
    """The holder: the one patient of the bundle.

    Raises:
        MalformedError: no patient or several, or one without a name.
    """
    match list(_resources(bundle, "Patient")):
        case [{"name": [{"family": str(family)} as name, *_]} as patient]:
            pass
        case _:
            raise MalformedError("a health card that does not name one patient")
    given = " ".join(part for part in _list(name.get("given")) if isinstance(part, str))
    born = patient.get("birthDate")
    return {
        "name": f"{given} {family}".strip(), "family_name": family, "given_name": given,
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
                    yield resource
            case _:
                raise MalformedError("a health card with an entry that is no FHIR resource")


def _vaccination(resource: dict[str, Any], issuer: str) -> dict[str, Any]:
    match resource:
        case {"status": "completed", "vaccineCode": dict(vaccine), "occurrenceDateTime": str(day)}:
            pass
        case _:
            raise MalformedError("a health card with a vaccination that is not complete, or without vaccine or date")
    code = _code(vaccine, _CVX)
    return {"tg": _COVID_19, "mp": _PRODUCTS.get(code, f"cvx:{code}"), "dt": day, "is": _performer(resource, issuer)}


def _test(resource: dict[str, Any], issuer: str) -> dict[str, Any]:
    match resource:
        case {"status": "final" | "amended" | "corrected", "code": dict(kind), "effectiveDateTime": str(taken),
              "valueCodeableConcept": dict(result)}:
            pass
        case _:
            raise MalformedError("a health card with a test that is not final, or without kind, date or result")
    code = _code(result, _SNOMED)
    return {
        "tg": _COVID_19, "tt": f"loinc:{_code(kind, _LOINC)}", "sc": taken, "tr": _RESULTS.get(code, f"snomed:{code}"),
        "is": _performer(resource, issuer),
    }


def _code(concept: dict[str, Any], system: str) -> str:
    for coding in _list(concept.get("coding")):
        match coding:
            case {"system": str(found), "code": str(code)} if found == system:
                return code
    raise MalformedError(f"a health card without a code of {system}")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _performer(resource: dict[str, Any], issuer: str) -> str:
    match resource.get("performer"):
        case [{"actor": {"display": str(name)}}, *_] | [{"display": str(name)}, *_]:
            return name
    return issuer
