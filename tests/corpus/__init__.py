"""Projects that nobody prepared, with their true links: how many of the links that the rules draw are right, and how
many of the right ones they draw. `python -m tests.corpus` prints the table.

tuned/      cases that the rules were made with
held_out/   cases that were written before the rules were first run on any, and that nothing was changed for
synthetic   a few hundred generated projects, of one row of seeds for each of the two

Each file holds cases of one kind, told as a person would tell them; `cases` makes of them what collectors bring.
"""
