"""The services: start them here or attach to them elsewhere, watch them, stop them."""
