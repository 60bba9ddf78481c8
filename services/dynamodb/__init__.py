"""DynamoDB: the real DynamoDBLocal in the bundled JRE, or a light stand-in without Java."""
