"""SQS, with what CloudWatch is told of it gathered."""
