"""What this machine lets this user do."""
