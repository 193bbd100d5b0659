r"""Text from outside, made safe for terminals, logs and the output of commands.

Names, messages and output come from registries, images, Dockerfiles and steps. Characters that
move a terminal's cursor, reorder letters or hide some are shown as ``\x1b`` or ``\u202e``. Texts
that a CI system executes ("::error::" at the start of a line, "##vso[" anywhere) get a backslash.
Passwords and tokens in URLs are hidden (``redact_urls``).
"""

import re

# C0 but tab and line feed, DEL, C1; invisible and bidirectional formats; separators; surrogates.
_CONTROL = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_COLOUR = r"\x1b\[[0-9;:]{0,64}m"
_RESET = "\x1b[0m"
_LINE_BREAKS = r"[ \t]*(?:\r?\n)+[ \t]*"
# GitHub and Gitea read "::name::" at the start of a line, also after blanks. "##[name]" (GitHub,
# Azure), "##vso[" (Azure) and "##teamcity[" are read anywhere.
_COMMAND_AT_START = r"(?m)^([^\S\n]*)::"
_COMMAND_ANYWHERE = r"(?i)#(?=#(?:vso|teamcity)?\[)"


def shown(text: str) -> str:
    """Return ``text``, with the same lines, made safe."""
    if "://" in text:
        from img.domain.url import redact_urls  # slow to import

        text = redact_urls(text)
    return shown_exactly(text)


def shown_exactly(text: str) -> str:
    """Return ``text`` as ``shown`` does, but keep passwords in URLs: the user asked for it."""
    return _without_controls(_without_commands(text))


def shown_in_line(text: str) -> str:
    """Return ``text`` as one line, with a blank for each line break."""
    return shown(re.sub(_LINE_BREAKS, " ", text))


def shown_output(line: str) -> str:
    r"""Return a line of a step's output, to be printed after img's prefix.

    Colours are kept, and end with the line. Of texts separated by carriage returns, the last is
    shown, as on a terminal. URLs are kept: secrets in the output are already masked.
    """
    line = line.rstrip("\r").rpartition("\r")[2]
    line = without_commands(line)
    if line.isascii() and line.isprintable():
        return line
    parts, colours = re.split(_COLOUR, line), re.findall(_COLOUR, line)
    pairs = zip(parts, [*colours, ""], strict=True)
    text = "".join(f"{_without_controls(part)}{colour}" for part, colour in pairs)
    return text + _RESET if colours and colours[-1] not in (_RESET, "\x1b[m") else text


def plain_output(line: str) -> str:
    r"""Return a line of a step's output without colours, for places that show none.

    Otherwise it is as in ``shown_output``, but for commands of CI systems, which are kept.
    """
    line = line.rstrip("\r").rpartition("\r")[2]
    return _without_controls(re.sub(_COLOUR, "", line))


def without_commands(line: str) -> str:
    r"""Return a line that does not begin with a command, without those that are read anywhere."""
    return re.sub(_COMMAND_ANYWHERE, r"#\\", line) if "##" in line else line


def shown_json(text: str) -> str:
    """Return a JSON text, made safe with JSON's own escapes."""
    escaped = re.sub(_CONTROL, lambda found: _json_escape(found[0]), text)
    return re.sub(_COMMAND_ANYWHERE, r"\\u0023", escaped)


def _without_controls(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text  # quick, and true for nearly all texts
    return re.sub(_CONTROL, lambda found: _escape(found[0]), text)


def _without_commands(text: str) -> str:
    if "::" in text:
        text = re.sub(_COMMAND_AT_START, r"\1\\::", text)
    return without_commands(text)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs)
