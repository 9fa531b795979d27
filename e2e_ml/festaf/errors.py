"""What festaf says when it cannot do what was asked: one sentence, with the next step."""


class FeatureStoreError(Exception):
    """A request that cannot be answered: an unknown name, naive times, a column that the data lacks.

    The message is for people: it says what is wrong and what to do next. Nothing has been written when it is raised.
    """
