"""The feature store beside Feast and the hand-written limit."""
