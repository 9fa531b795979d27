"""OpenLineage, the standard in which pipelines tell what they read and wrote: events received, kept, and sent.

`naming` turns a dataset's name into a URI and back; `events` and `facets` read what others send, `inbox` keeps it and
`server` takes it over HTTP; `telling` tells of a run of our own, and `sending` sends that.
https://openlineage.io/spec/2-0-2/OpenLineage.json is what they follow.
"""
