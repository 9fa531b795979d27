"""The native panels. Each reads `Lifecycle.graph` and nothing else, never waits, and drives and follows `Focus`."""
