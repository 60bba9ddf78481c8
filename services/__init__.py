"""AWS on this machine, one folder per service."""
