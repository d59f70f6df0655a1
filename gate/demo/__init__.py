"""A whole gate on one machine: keys, people, broker, recorder, live page, and a gate with simulated hardware.

`site` makes everything with the commands that an installer types, `parts` starts the processes, `lane` holds codes
to the readers, `checks` walks through what must happen.
"""
