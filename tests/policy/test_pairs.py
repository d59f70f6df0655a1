"""Which codes can be one of two."""

from gate.model import Direction, Scan, Token
from gate.policy.pairs import half_of


def test_a_code_that_names_nobody_is_no_half_of_a_pair() -> None:
    scan = Scan("in", Direction.ENTRY, b"1234567890", 0.0)
    assert half_of(scan, Token("number"), None, None) is None
    assert half_of(scan, Token("cccd", person={"name": "NGUYEN VAN A"}), None, None) is None
    assert half_of(scan, Token("cccd", person={"name": "NGUYEN VAN A", "dob": "1990-01-01"}), None, None) is not None
