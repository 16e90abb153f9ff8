"""Deliberate faults, to prove that the ladders report them; a file each."""
