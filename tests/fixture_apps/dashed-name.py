"""A module whose name no import statement could spell."""

app = print
