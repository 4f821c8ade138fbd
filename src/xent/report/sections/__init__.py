"""The parts of the page: each reads its fields of the result and gives its markup, or None."""
