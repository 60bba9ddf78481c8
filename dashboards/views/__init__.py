"""The pages. Each is one `render(aws, say)`: clients and words are passed in."""
