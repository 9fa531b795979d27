"""`python -m tests.corpus`: the table of all cases. With `--mistakes` what was wrong and what was missing, too."""

from __future__ import annotations

import sys

from tests.corpus import rest, synthetic
from tests.corpus.cases import read
from tests.corpus.score import judge, table

TUNED, HELD_OUT = (0, 300), (1_000_000, 300)  # the first project and how many


def main() -> None:
    results = {
        "tuned": judge(read("tuned")),
        "held out": judge(read("held_out")),
        "recorded": judge(rest.cases()),
        "generated, tuned": judge(synthetic.cases(*TUNED)),
        "generated, held out": judge(synthetic.cases(*HELD_OUT)),
    }
    print(table(results))
    if "--mistakes" in sys.argv:
        print(*(mistake for result in results.values() for mistake in result.mistakes), sep="\n")


if __name__ == "__main__":
    main()
