"""License texts of packages as SPDX expressions (SPDX 2.3, Annex D)."""

import re
from hashlib import sha256

# The identifiers that most packages use. Any other text gets a reference to itself (LicenseRef-),
# which is valid for each text.
_KNOWN = frozenset(
    re.findall(
        r"\S+",
        "0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 "
        "Artistic-1.0 Artistic-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause BSD-4-Clause "
        "BSL-1.0 bzip2-1.0.6 CC0-1.0 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-4.0 CDDL-1.0 curl EPL-1.0 "
        "EPL-2.0 GFDL-1.3-or-later GPL-1.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only "
        "GPL-3.0-or-later HPND ICU IJG ISC LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only "
        "LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later Libpng MIT MIT-0 MPL-1.1 MPL-2.0 "
        "NCSA OFL-1.1 OLDAP-2.8 OpenSSL PHP-3.01 PSF-2.0 Python-2.0 Ruby Sleepycat TCL "
        "Unicode-3.0 Unicode-DFS-2016 Unlicense Vim W3C WTFPL X11 Zlib ZPL-2.1 ",
    )
)
_OPERATORS = ("AND", "OR")


def is_expression(text: str) -> bool:
    """Return whether ``text`` is an expression of known identifiers, without parentheses."""
    words = text.split()
    names, operators = words[::2], words[1::2]
    return len(words) % 2 == 1 and (
        all(name in _KNOWN for name in names)
        and all(operator in _OPERATORS for operator in operators)
    )


def license_reference(text: str) -> str:
    """Return the reference of a text that is no expression."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")[:40]
    return f"LicenseRef-{slug}-{sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
