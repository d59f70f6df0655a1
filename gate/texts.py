"""What the lane says: each reason in Vietnamese and English, with the next step for the person. Pure.

No text names a person, a health fact, or the detail that would help a forger.
"""

from __future__ import annotations

from typing import NamedTuple

from gate.decoder.wrong import HINTS
from gate.model import EventKind, Reason
from gate.order import Refusal


class Text(NamedTuple):
    """One message in both languages: what is so, and what to do next."""

    vi: str
    en: str
    next_vi: str
    next_en: str


_GUARD_VI, _GUARD_EN = "Vui lòng gặp bảo vệ.", "Please see the guard."
_HR_VI, _HR_EN = "Vui lòng liên hệ bộ phận nhân sự.", "Please ask your personnel office."
_AGAIN_VI, _AGAIN_EN = "Vui lòng quét lại.", "Please scan again."

TEXTS: dict[Reason, Text] = {
    Reason.GRANTED: Text("Mời vào", "Please go through", "Mời đi qua.", "Go ahead."),
    Reason.UNKNOWN_CREDENTIAL: Text("Mã không có trong danh sách", "This code is not on the list", _HR_VI, _HR_EN),
    Reason.NO_ACCESS_RIGHTS: Text("Không có quyền vào khu vực này", "No right to enter this area", _HR_VI, _HR_EN),
    Reason.OUT_OF_TIME_RANGE: Text("Ngoài giờ được phép", "Outside the permitted hours",
                                   "Vui lòng quay lại đúng giờ ca.", "Please come back in your hours."),
    Reason.LOCKDOWN: Text("Cổng đang khóa", "The gate is locked down", _GUARD_VI, _GUARD_EN),
    Reason.PASSBACK: Text("Mã đã vào mà chưa ra", "This code is already inside", _GUARD_VI, _GUARD_EN),
    Reason.MAX_ATTEMPTS: Text("Nhập sai nhiều lần", "Too many wrong attempts",
                              "Vui lòng đợi rồi thử lại.", "Please wait, then try again."),
    Reason.OCCUPANCY_LIMIT: Text("Bên trong đã đủ người", "It is full inside",
                                 "Vui lòng đợi có người ra.", "Please wait until somebody leaves."),
    Reason.NOT_YET_ACTIVE: Text("Mã chưa có hiệu lực", "This code is not valid yet", _HR_VI, _HR_EN),
    Reason.EXPIRED: Text("Mã đã hết hạn", "This code has expired",
                         "Vui lòng xin cấp mã mới.", "Please ask for a new one."),
    Reason.REVOKED: Text("Mã đã bị thu hồi", "This code has been withdrawn", _GUARD_VI, _GUARD_EN),
    Reason.MAX_USES: Text("Mã đã dùng hết lượt", "This code has no uses left", _GUARD_VI, _GUARD_EN),
    Reason.LOCKOUT: Text("Bàn phím tạm khóa", "The keypad is locked for now",
                         "Vui lòng đợi hoặc dùng đầu đọc mã.", "Please wait, or use the code reader."),
    Reason.OTHER: Text("Không được vào", "No entry", _GUARD_VI, _GUARD_EN),
    Reason.MALFORMED: Text("Không đọc được mã", "The code cannot be read", _AGAIN_VI, _AGAIN_EN),
    Reason.UNKNOWN_FORMAT: Text("Không phải mã của cổng này", "Not a code for this gate",
                                "Vui lòng đưa mã cá nhân.", "Please show your personal code."),
    Reason.WRONG_CODE: Text("Không phải mã cá nhân", "Not a personal code",
                            "Vui lòng đưa mã cá nhân.", "Please show your personal code."),
    Reason.NO_SYMBOL: Text("Không thấy mã", "No code seen", _AGAIN_VI, _AGAIN_EN),
    Reason.UNKNOWN_KEY: Text("Nơi cấp mã không được công nhận", "The issuer of this code is not recognised",
                             _GUARD_VI, _GUARD_EN),
    Reason.BAD_SIGNATURE: Text("Mã không hợp lệ", "The code is not genuine", _GUARD_VI, _GUARD_EN),
    Reason.PROOF_TOO_WEAK: Text("Mã này chưa đủ để vào", "This code alone is not enough",
                                "Vui lòng dùng thẻ ra vào.", "Please use your gate pass."),
    Reason.ROSTER_STALE: Text("Danh sách của cổng đã cũ", "The gate's list is out of date", _GUARD_VI, _GUARD_EN),
    Reason.CLOCK_UNTRUSTED: Text("Đồng hồ của cổng chưa đúng", "The gate's clock is not right",
                                 _GUARD_VI, _GUARD_EN),
    Reason.HEALTH_RULE: Text("Chưa đủ điều kiện y tế", "A health condition is not met",
                             "Vui lòng gặp bộ phận y tế.", "Please see the health desk."),
    Reason.PERMIT: Text("Đơn vị chưa được phép hoạt động", "The business has no permit now", _HR_VI, _HR_EN),
    Reason.QUOTA: Text("Đơn vị đã đủ số người", "The business has reached its number", _HR_VI, _HR_EN),
    Reason.NEEDS_SECOND_CODE: Text("Cần thêm một mã nữa", "A second code is needed",
                                   "Vui lòng đưa căn cước và giấy chứng nhận, lần lượt từng mã.",
                                   "Please show your ID card and your certificate, one after the other."),
    Reason.NOT_LIVE: Text("Không phải mã đang chạy trên điện thoại", "Not the live code of a phone",
                          "Mở trang thẻ trên điện thoại và đưa mã mới nhất.",
                          "Open your pass on your phone and show the newest code."),
    Reason.NEEDS_SECOND_PERSON: Text("Cần hai người cùng vào", "Two people have to enter together",
                                     "Mời người thứ hai đưa mã.", "The second person: please show your code."),
    Reason.NO_HOST: Text("Người tiếp khách không có mặt", "Your host is not here", _GUARD_VI, _GUARD_EN),
    Reason.INTERLOCK: Text("Cửa bên kia đang mở", "The other door is open",
                           "Vui lòng đợi cửa kia đóng rồi quét lại.",
                           "Please wait until it is shut, then scan again."),
    Reason.STORE_SLOW: Text("Cổng đang bận", "The gate is busy", _AGAIN_VI, _AGAIN_EN),
    Reason.PORTAL_BUSY: Text("Cổng đang có người qua", "Somebody is going through",
                             "Vui lòng đợi rồi quét lại.", "Please wait, then scan again."),
    Reason.INTERNAL_ERROR: Text("Cổng gặp sự cố", "The gate has a fault", _GUARD_VI, _GUARD_EN),
}

_BY_KEY = {reason.name: text for reason, text in TEXTS.items()} | {
    reason.value[1]: text for reason, text in TEXTS.items()
}


def reason_text(key: str) -> Text:
    """The text of a reason by its name in an event (`UNKNOWN_KEY`); the general refusal for an unknown one."""
    return _BY_KEY.get(key, TEXTS[Reason.OTHER])


class Words(NamedTuple):
    """A word or two in both languages, for the screens and lists of operators."""

    vi: str
    en: str


SECOND_CODES: dict[str, Words] = {
    "after-certificate": Words("Đã nhận giấy chứng nhận: hãy đưa căn cước của bạn",
                               "Certificate read: now show your ID card"),
    "after-identity": Words("Đã nhận mã của bạn: hãy đưa giấy chứng nhận",
                            "Your code is read: now show your certificate"),
    "another-person": Words("Hai mã không cùng họ tên và ngày sinh: hãy đưa hai mã của cùng một người",
                            "The two codes differ in name or birth date: show two codes of one person"),
}
"""What the lane says beside NEEDS_SECOND_CODE, by the decision's hint."""


def hint_words(hint: str) -> Words | None:
    """What the lane says more to a decision with a hint, or None for a hint that this release does not know."""
    wrong = HINTS.get(hint)
    return Words(*wrong) if wrong else SECOND_CODES.get(hint)


KINDS: dict[EventKind, Words] = {
    EventKind.ACCESS_GRANTED: Words("Cho qua", "Access granted"),
    EventKind.ACCESS_TAKEN: Words("Đã qua cổng", "Passed through"),
    EventKind.ACCESS_NOT_TAKEN: Words("Không qua cổng", "Did not pass"),
    EventKind.ACCESS_DENIED: Words("Từ chối", "Access denied"),
    EventKind.DURESS: Words("Bị cưỡng ép", "Duress"),
    EventKind.DOOR_FORCED_OPEN: Words("Cửa bị phá mở", "Door forced open"),
    EventKind.DOOR_OPEN_TOO_LONG: Words("Cửa mở quá lâu", "Door open too long"),
    EventKind.DOOR_SECURED: Words("Cửa đã đóng", "Door secured"),
    EventKind.REQUEST_TO_EXIT: Words("Xin ra", "Request to exit"),
    EventKind.EMERGENCY: Words("Khẩn cấp", "Emergency"),
    EventKind.MODE_CHANGED: Words("Đổi chế độ", "Mode changed"),
    EventKind.UNEXPECTED_PASSAGE: Words("Qua cổng khi chưa được phép", "Unexpected passage"),
    EventKind.READER_LOST: Words("Mất đầu đọc", "Reader lost"),
    EventKind.READER_BACK: Words("Đầu đọc trở lại", "Reader back"),
    EventKind.DOCUMENTS_APPLIED: Words("Đã nhận tài liệu mới", "Documents applied"),
    EventKind.DOCUMENTS_REFUSED: Words("Tài liệu bị từ chối", "Documents refused"),
    EventKind.GATE_STARTED: Words("Cổng khởi động", "Gate started"),
    EventKind.GATE_STOPPED: Words("Cổng dừng", "Gate stopped"),
    EventKind.EVENTS_LOST: Words("Mất sự kiện", "Events lost"),
    EventKind.LEDGER_PRUNED: Words("Sổ đã dọn bớt", "Ledger pruned"),
    EventKind.OUTPUT_FAULT: Words("Lỗi thiết bị ra", "Output fault"),
    EventKind.LOCK_FAULT: Words("Khóa không đóng", "Lock fault"),
    EventKind.SENSOR_FAULT: Words("Lỗi cảm biến", "Sensor fault"),
    EventKind.TAMPER: Words("Hộp thiết bị bị mở", "Tamper"),
    EventKind.MAINS_FAILURE: Words("Mất điện lưới", "Mains failure"),
    EventKind.STORE_FAULT: Words("Lỗi lưu trữ", "Store fault"),
    EventKind.COMMAND: Words("Lệnh điều khiển", "Command"),
}

STATES: dict[str, Words] = {
    "starting": Words("đang khởi động", "starting"),
    "online": Words("trực tuyến", "online"),
    "degraded": Words("hoạt động hạn chế", "degraded"),
    "stopped": Words("đã dừng", "stopped"),
    "offline": Words("mất kết nối", "offline"),
    "normal": Words("bình thường", "normal"),
    "lockdown": Words("khóa toàn bộ", "lockdown"),
    "free": Words("mở tự do", "free access"),
    "closed": Words("đóng", "closed"),
    "released": Words("đang mở khóa", "released"),
    "passing": Words("có người qua", "passing"),
    "held": Words("bị giữ mở", "held open"),
    "forced": Words("bị phá mở", "forced open"),
    "locked_down": Words("khóa chặt", "locked down"),
}
"""What `up/status` and `up/state` say of a gate, its mode and its portal."""


REFUSALS: dict[Refusal, Words] = {
    Refusal.RETAINED: Words("lệnh được broker lưu lại, không phải lệnh mới", "a retained message, not a new command"),
    Refusal.MALFORMED: Words("lệnh không đúng dạng", "not in the form of a command"),
    Refusal.UNSIGNED: Words("không có chữ ký của người vận hành nào được công nhận",
                            "not signed by an operator whom the gate knows"),
    Refusal.ANOTHER_GATE: Words("lệnh dành cho cổng khác", "a command for another gate"),
    Refusal.REASONLESS: Words("thiếu lý do", "no reason is given"),
    Refusal.ROLE: Words("vai trò không đủ quyền", "the role does not reach that far"),
    Refusal.LATE: Words("lệnh đến quá muộn", "it comes too late"),
    Refusal.REPEATED: Words("lệnh đã dùng rồi", "it has been used already"),
    Refusal.LOCKDOWN: Words("cổng đang khóa: hãy đưa về bình thường trước", "in lockdown: go back to normal first"),
    Refusal.LANE: Words("làn không mở được lúc này", "the lane cannot open now"),
    Refusal.NO_PRESENCE: Words("cổng này không đếm người bên trong", "this gate does not count who is inside"),
    Refusal.BY_HAND: Words("tài liệu được nhập bằng tay ở cổng này", "documents come by hand to this gate"),
}
"""Why a command was not carried out."""


def refusal_words(refusal: str) -> Words:
    """A refusal as a reply names it; one that this release does not know is said as it stands."""
    try:
        return REFUSALS[Refusal(refusal)]
    except ValueError:
        return Words(refusal, refusal)


def kind_words(kind: str) -> Words:
    """An event's kind as the feed names it; one that this release does not know is said as it stands."""
    try:
        return KINDS[EventKind(kind)]
    except ValueError:
        return Words(kind, kind)


def state_words(state: str) -> Words:
    """A status, mode or portal state; one that this release does not know is said as it stands."""
    return STATES.get(state, Words(state, state))
