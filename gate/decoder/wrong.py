"""Codes that never open a gate, known by name, so that the lane can say which code to show instead. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple


class Hint(NamedTuple):
    """What the lane says about a wrong code: what it is and which one to show."""

    vi: str
    en: str


_YOURS_VI, _YOURS_EN = "hãy đưa mã cá nhân của bạn", "show your own code"

HINTS = {
    "place": Hint(f"Đây là mã địa điểm: {_YOURS_VI}", f"This is a place's QR: {_YOURS_EN}"),
    "vneid": Hint("Mã VNeID cần điện thoại khác để đọc: hãy đưa căn cước hoặc thẻ ra vào",
                  "A VNeID code needs another phone to read it: show your ID card or gate pass"),
    "mdoc": Hint("Giấy tờ trên điện thoại cần Bluetooth: hãy đưa căn cước hoặc thẻ ra vào",
                 "A phone document needs Bluetooth: show your ID card or gate pass"),
    "payment": Hint(f"Đây là mã thanh toán: {_YOURS_VI}", f"This is a payment QR: {_YOURS_EN}"),
    "wifi": Hint(f"Đây là mã Wi-Fi: {_YOURS_VI}", f"This is a Wi-Fi QR: {_YOURS_EN}"),
    "contact": Hint(f"Đây là danh thiếp: {_YOURS_VI}", f"This is a contact card: {_YOURS_EN}"),
    "part": Hint("Mã này chỉ là một phần của thẻ sức khỏe: hãy đưa mã đầy đủ hoặc thẻ ra vào",
                 "This code is only a part of a health card: show one whole code or your gate pass"),
    "url": Hint(f"Đây là đường dẫn web: {_YOURS_VI}", f"This is a web link: {_YOURS_EN}"),
}
"""Hint key -> what to say; the key travels in `WrongCodeError.hint` and `Decision.hint`."""

_FORMS = tuple((hint, re.compile(form, re.IGNORECASE)) for hint, form in (
    # Venue codes of 2021 are links of these two registries; their paths differ, so the host decides.
    ("place", rb"https?://([a-z0-9-]+\.)*(tokhaiyte\.vn|pccovid\.gov\.vn)([/?#:]|$)"),
    ("vneid", rb"vneid:|https?://([a-z0-9-]+\.)*vneid\.gov\.vn([/?#:]|$)"),
    ("mdoc", rb"mdoc:"),  # ISO/IEC 18013-5 8.2.2.3: device engagement
    # EMVCo Merchant-Presented Mode: payload format 01 first, a CRC (id 63) of four hex digits last.
    ("payment", rb"000201[ -~\x80-\xff]*6304[0-9a-f]{4}$"),
    ("wifi", rb"wifi:"),
    ("contact", rb"begin:vcard|mecard:"),
    ("url", rb"https?://|www\."),
))


def recognise(payload: bytes) -> str | None:
    """The hint key of a code that is known and wrong, or None."""
    return next((hint for hint, form in _FORMS if form.match(payload)), None)
