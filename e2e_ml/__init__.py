"""e2e-ml: the machine-learning lifecycle in one window.

Rooms, from the ground up: `refs` (names of things), `routes` (names <-> web pages), `workspace` (which services),
`festaf` (feature store on Airflow), `lineage` (the lifecycle as a graph), `stack` (the services), `demo` (a real
project), `desktop` (the window), `cli` (the command). A room imports only from those before it.
"""

__version__ = "0.1.0"
