"""What a person writes, and how it becomes records: columns and their types, the classes, the checks, the places.

`classes` and `types` are what stands in a definition, `loading` finds the definitions of a project, and `compiling`
makes records of them. Nothing here reads data; the registry and the engines come after.
"""
