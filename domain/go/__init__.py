"""Rules of Go's standard library that Docker's formats follow."""
