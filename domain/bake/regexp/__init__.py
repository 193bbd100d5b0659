"""Go's regular expressions (RE2): no look-around, no back-references, linear time."""
