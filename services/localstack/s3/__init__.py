"""S3: LocalStack's, with bodies in files and everything else in a journal."""
