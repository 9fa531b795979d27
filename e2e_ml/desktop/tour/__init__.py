"""The guided tour: the story of a feature, told inside the real window.

`story` holds the steps as values, `evidence` asks the window whether what a step speaks of is really on screen,
`callout` draws the text beside it, `player` plays, `gallery` writes the pictures' page.
"""
