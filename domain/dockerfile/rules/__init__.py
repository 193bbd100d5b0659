"""BuildKit's build checks, one function for each rule."""
