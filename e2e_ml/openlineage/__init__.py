"""OpenLineage, the standard in which pipelines tell what they read and wrote: events received, kept, and sent.

`naming` turns a dataset's name into a URI and back, `events` reads what others send, `inbox` keeps it, `server` takes
it over HTTP, `sending` sends ours. https://openlineage.io/spec/2-0-2/OpenLineage.json is what they follow.
"""
