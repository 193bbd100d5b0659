"""Root, for steps that have one id: who they seem to be, and whose files seem to be."""
