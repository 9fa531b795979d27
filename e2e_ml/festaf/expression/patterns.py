r"""Regular expressions: what Rust's, RE2's, Java's and JavaScript's engines read alike.

    literal characters, and . which is any but a line break      ^ and $, the ends of the text
    [abc] [a-z] [^a-z]                                           (...) a group, (?:...) one that is not counted, a|b
    \d \w \s \D \W \S, of ASCII: [0-9], [0-9A-Za-z_], white space  * + ? {2} {2,} {2,5}, with a ? behind for as few as
    \t \n \r, and \ before a sign of ASCII for the sign itself     possible; counts up to 1000

No look-around, no reference back to a group, no flags, no \b, no named classes: they are missing or differ somewhere.
"""

from __future__ import annotations

import re

from e2e_ml.festaf.expression.tree import ExpressionError

_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": " \\t\\n\\r\\x0b\\x0c"}
_TOKEN = re.compile(
    r"""(?P<escape>\\.)
      | (?P<set>\[\^?(?:[^\]\\\[&~-]|\\.|-)(?:[^\]\\\[&~]|\\.)*\])
      | (?P<group>\((?:\?:)?)
      | (?P<count>\{\d+(?:,\d*)?\}\??|[*+?]\??)
      | (?P<plain>[^\\\[\](){}*+?]|\))
    """,
    re.VERBOSE | re.DOTALL,
)
_SIGNS = r".^$*+?()[]{}|\-&~#/"
_MAX_COUNT = 1000


def check_pattern(pattern: object) -> int:
    """How many groups the pattern counts. Raises ExpressionError for one that is none, or not of the common kind."""
    if not isinstance(pattern, str):
        raise ExpressionError(f"A pattern is a text, not {pattern!r}.")
    portable = to_portable(pattern)
    try:
        return re.compile(portable).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise ExpressionError(f"{pattern!r} is no pattern: {error}.") from None


def to_portable(pattern: str) -> str:
    r"""The same pattern in what all engines read alike: `\d` as `[0-9]`. Raises ExpressionError."""
    parts: list[str] = []
    at = 0
    counted = False
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None or (pattern.startswith("(?", at) and token["group"] == "("):
            raise _refused(pattern, pattern[at : at + 3])
        if token["count"] and counted:
            raise _refused(pattern, token[0])
        counted = bool(token["count"])
        at = token.end()
        text = token[0]
        if token["escape"]:
            parts.append(_escape(pattern, text[1]))
        elif token["set"]:
            parts.append(re.sub(r"\\(.)", lambda found: _in_set(pattern, found[1]), text, flags=re.DOTALL))
        else:
            if token["count"] and any(int(count) > _MAX_COUNT for count in re.findall(r"\d+", text)):
                raise _refused(pattern, text)
            parts.append(text)
    return "".join(parts)


def whole_text(pattern: str) -> str:
    """The portable pattern that fits where `pattern` fits the whole text."""
    return f"^(?:{to_portable(pattern)})$"


def _escape(pattern: str, character: str) -> str:
    if character in _CLASSES:
        return f"[{_CLASSES[character]}]"
    if character.lower() in _CLASSES:
        return f"[^{_CLASSES[character.lower()]}]"
    return _itself(pattern, character)


def _in_set(pattern: str, character: str) -> str:
    return _CLASSES[character] if character in _CLASSES else _itself(pattern, character)


def _itself(pattern: str, character: str) -> str:
    if character in "tnr" or character in _SIGNS:
        return f"\\{character}"
    if character.isascii() and character.isprintable() and not character.isalnum():
        return character  # it means itself anyway, and with a \\ before it here and there something else
    raise _refused(pattern, f"\\{character}")


def _refused(pattern: str, text: str) -> ExpressionError:
    return ExpressionError(
        f"{text!r} in the pattern {pattern!r} is not read alike by all engines. Patterns take literal characters, ., "
        r"[a-z], ^ and $, groups, |, \d \w \s, and * + ? {2,5}."
    )
