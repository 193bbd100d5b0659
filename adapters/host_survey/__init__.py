"""A survey of the features that this machine allows to this user."""
