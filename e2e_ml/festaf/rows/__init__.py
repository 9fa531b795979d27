"""The rows of a view, from its source into the stores and out again, on Polars.

In: `sources` reads, `compute` (with `windows`) makes the features, `validation` judges them, and `pipeline` brings a
data interval into the `offline` and the `online` store. Out: `historical` joins them as of a moment (by
`pointintime`), and `profile` describes them.
"""
