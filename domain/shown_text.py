r"""Text of others as it is shown: on terminals, in logs, in the output of commands.

Names, messages and output come from registries, images, Dockerfiles and steps. What would move a
terminal's cursor, change the order of letters or hide some is shown as ``\x1b`` or ``\u202e``. What
a CI system would take for a command to it ("::error::" at the start of a line, "##vso[" anywhere)
gets a backslash. Passwords and tokens in URLs are not shown (``redact_urls``).
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
# GitHub and its like read "::name::" where a line begins, after blanks too. "##[name]" (GitHub,
# Azure), "##vso[" (Azure) and "##teamcity[" count anywhere.
_COMMAND_AT_START = r"(?m)^([^\S\n]*)::"
_COMMAND_ANYWHERE = r"(?i)#(?=#(?:vso|teamcity)?\[)"


def shown(text: str) -> str:
    """Return ``text``, in as many lines as it has, without what is said above."""
    if "://" in text:
        from img.domain.url import redact_urls  # only now: its patterns take a moment

        text = redact_urls(text)
    return shown_exactly(text)


def shown_exactly(text: str) -> str:
    """Return ``text`` as ``shown`` does, but with the passwords in URLs: it was asked for."""
    return _without_controls(_without_commands(text))


def shown_in_line(text: str) -> str:
    """Return ``text`` as one line: with a blank for each break."""
    return shown(re.sub(_LINE_BREAKS, " ", text))


def shown_output(line: str) -> str:
    r"""Return a line that a step wrote, to be printed behind a prefix of ours.

    Colours stay, and end with the line. Of what carriage returns overwrite the last is shown, as on
    a terminal. URLs stay: it is the step's own output, whose secrets are masked already.
    """
    line = line.rstrip("\r").rpartition("\r")[2]
    if "##" in line:
        line = re.sub(_COMMAND_ANYWHERE, r"#\\", line)
    if line.isascii() and line.isprintable():
        return line
    parts, colours = re.split(_COLOUR, line), re.findall(_COLOUR, line)
    pairs = zip(parts, [*colours, ""], strict=True)
    text = "".join(f"{_without_controls(part)}{colour}" for part, colour in pairs)
    return text + _RESET if colours and colours[-1] not in (_RESET, "\x1b[m") else text


def shown_json(text: str) -> str:
    """Return a JSON text, in which all this can be said by JSON's own escapes."""
    escaped = re.sub(_CONTROL, lambda found: _json_escape(found[0]), text)
    return re.sub(_COMMAND_ANYWHERE, r"\\u0023", escaped)


def _without_controls(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text  # quick, and true of nearly all
    return re.sub(_CONTROL, lambda found: _escape(found[0]), text)


def _without_commands(text: str) -> str:
    if "::" in text:
        text = re.sub(_COMMAND_AT_START, r"\1\\::", text)
    return re.sub(_COMMAND_ANYWHERE, r"#\\", text) if "##" in text else text


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs)
