"""What the lineage drawing is made of: what is shown, where it stands, how it is painted, and what a person may do.

`explored`, `neighbourhood`, `asked`, `ways`, `columns`, `faces`, `layering` and `judging` know no Qt. The widgets that
use them are `lineage_view`, the drawing, and `lineage_page`, the drawing with all that stands around it.
"""
