"""Where records go: one file for each kind of destination, all of the shape of `destination`."""
