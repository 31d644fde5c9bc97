"""Formats of texts as regular expressions: every match is of the format, not everything of the format matches."""

_YEAR = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26]))"
_COMMON_DAY = "((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
_DAY = f"({_YEAR}-{_COMMON_DAY}|{_LEAP_YEAR}-02-29)"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
_ZONE = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL}){{0,4}}"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

PATTERNS = {
    "date": f"^{_DAY}$",
    "time": f"^{_CLOCK}{_ZONE}$",
    "date-time": f"^{_DAY}T{_CLOCK}{_ZONE}$",
    "duration": "^P([1-9][0-9]{0,5}W|[1-9][0-9]{0,5}D(T[1-9][0-9]{0,5}[HMS])?|T[1-9][0-9]{0,5}[HMS])$",
    "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "email": rf"^[a-zA-Z0-9_+-]{{1,30}}(\.[a-zA-Z0-9_+-]{{1,30}}){{0,2}}@{_LABEL}(\.{_LABEL}){{0,3}}\.[a-z]{{2,12}}$",
    "hostname": f"^{_HOST}$",
    "ipv4": rf"^{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}$",
    "ipv6": "^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$",
    "uri": rf"^https?://{_HOST}(:[1-9][0-9]{{0,3}})?(/[a-zA-Z0-9._~!$&'()*+,;=:@-]*)*(\?[a-zA-Z0-9._~=&+-]*)?$",
}
"""RFC 3339, RFC 4122 and so on, as JSON Schema 2020-12 lists them (validation, section 7.3)."""
