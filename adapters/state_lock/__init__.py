"""Who may collect garbage while whom."""
