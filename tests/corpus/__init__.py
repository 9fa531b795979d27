"""Projects that nobody prepared, with their true links: how many of the links that the rules draw are right, and how
many of the right ones they draw. `python -m tests.corpus` prints the table.

tuned/      cases that the rules were made with
held_out/   cases that were written before the rules were run on them, and that no weight was changed for; they found
            one mistake, a DAG's file that ends like another's, which was corrected
answers/    answers of the REST APIs, read by the real collectors
synthetic   a few hundred generated projects, of one row of seeds that the weights were looked at with, and one that not

Who wrote the rules wrote the cases: both know the same world. Generated projects also hold links that are true and that
nobody could tell from what is seen (a task among several at work, a copy of a view): they stand under `also`, and
finding them is not asked for.

Each file holds cases of one kind, told as a person would tell them; `cases` makes of them what collectors bring.
"""
