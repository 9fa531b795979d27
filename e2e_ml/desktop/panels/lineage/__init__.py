"""The lineage drawing: what is shown, where it stands, how it is painted, and what a person may do with it.

    neighbourhood  explored  asked  columns     what is shown of the graph, and what a person asked to see
    faces  layering  plan  planning             what each box says and where it stands, as one value, and its making
    look  painting  sheet  zooming  minimap     how it is painted, and the view that it lies in
    choice  ways  walking                       what is chosen, what is lit for it, where the keys lead
    pointing  drawing  verbs  view              the mouse, the drawing, what a person may do, and what mouse and keys do
    page  bar  chips  flow  card  judging       the large one, with all that stands around it
    export  saving                              pictures of it

`explored`, `neighbourhood`, `asked`, `choice`, `ways`, `columns`, `faces`, `layering` and `judging` know no Qt.
"""
