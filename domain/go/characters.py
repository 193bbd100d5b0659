"""Characters as Go's package unicode sorts them."""

SPACES = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""White space (unicode.IsSpace): for strip(), which knows some characters more."""
