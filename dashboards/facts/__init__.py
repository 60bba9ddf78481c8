"""What the pages show, read through AWS's APIs and made into plain data."""
