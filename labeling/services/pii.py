"""Personal data within texts: emails, phone numbers, payment cards, keys. Pure; misses some rather than cry wolf."""

import re

_PATTERNS = {
    "key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        r"|\b(?:sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
        r"|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,})"
    ),
    "email": re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b"),
    "card": re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])"),
    "phone": re.compile(r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,8}){1,5}(?![\w.])"),
}


_DATE = re.compile(r"(?:19|20)\d\d[ .-](?:0\d|1[0-2])[ .-][0-3]\d(?!\d)")


def find(text: str) -> set[str]:
    """The kinds of personal data in the text."""
    if not any(char in text for char in "@-0123456789"):
        return set()
    return {kind for kind, pattern in _PATTERNS.items() if any(_holds(kind, one[0]) for one in pattern.finditer(text))}


def mask(text: str) -> str:
    """The text with each place of personal data replaced by its kind, such as [email]."""
    for kind in _PATTERNS:
        text = _mask(kind, text)
    return text


def _mask(kind: str, text: str) -> str:
    return _PATTERNS[kind].sub(lambda one: f"[{kind}]" if _holds(kind, one[0]) else one[0], text)


def _holds(kind: str, found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    if kind == "card":
        return 13 <= len(digits) <= 19 and _luhn(digits)
    if kind == "phone" and _DATE.match(found):
        return False
    # Dates and sums look like short numbers in groups; telephones have 9 digits and more, or name a country.
    return kind != "phone" or 9 <= len(digits) <= 15 or (found.startswith("+") and len(digits) >= 8)


def _luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0
