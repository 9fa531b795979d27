"""The operations as narwhals expressions, by what they work on; `compile_narwhals` puts them together.

Each module holds functions from compiled operands to a narwhals expression; what has to come out is written in
`operations`. What an engine lacks or does otherwise is in the table of `portability`.
"""
