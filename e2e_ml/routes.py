"""Which web page shows a `Ref`, and which `Ref` a page shows: pure functions, a pair for each service.

`path(ref)` gives the path, query and fragment below the service's base URL. `ref(path, ...)` reads one back, from what
the real pages put into the address bar; a page that shows no single thing gives None.
"""
