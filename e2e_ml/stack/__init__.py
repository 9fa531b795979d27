"""The services: start, attach, watch, stop.

`Stack` is the whole of it for the rest of the program; `service` holds what others see of one service.
"""

from e2e_ml.stack.service import Listener, Login, Service, State, Status
from e2e_ml.stack.stack import Stack

__all__ = ["Listener", "Login", "Service", "Stack", "State", "Status"]
