"""The `riacho` command."""
