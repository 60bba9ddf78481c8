"""What is in a file: format, columns, types, in the order in which a crawler asks."""
