"""The parts of the page, from the top down: each reads its fields of the result and gives its markup, or None."""
