"""The stream engine: Kinesis Data Streams as AWS documents it, durable and fast."""
