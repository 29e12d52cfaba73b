"""The reactor: an event loop with endpoints, listening ports, timed calls, system events and a coarse tick.

Knows no HTTP. Everything that needs a reactor is given one; there is no global.
"""
