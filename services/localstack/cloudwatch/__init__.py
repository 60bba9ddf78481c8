"""CloudWatch, whose metrics are told apart by all of their dimensions."""
