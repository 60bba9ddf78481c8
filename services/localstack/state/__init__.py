"""What LocalStack's services know, kept in the data folder and brought back at the next start."""
