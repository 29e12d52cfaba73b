"""Starts servers in turn, loads them, and weighs what they cost: see the README one folder up."""
