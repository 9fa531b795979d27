"""Moving from Feast: a Feast repository becomes a folder of festaf definitions, and what could not come along is said.

    export      runs in the person's own Feast environment and tells what is in a repository, as JSON
    reading     starts it, and reads what it tells into records
    converting  from Feast's words to those of definitions; `bodies` reads what on-demand functions compute
    writing     the definitions as a person would write them

Feast is never imported here, and none of its pickled functions is opened.
"""
