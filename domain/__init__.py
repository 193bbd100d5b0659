"""What a build is: pure rules and values, no I/O."""
