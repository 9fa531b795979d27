"""The real end-to-end project that `make demo` opens: New York flights of 2013."""
