"""CloudFormation: LocalStack's engine, with the faults of its resource types mended."""
