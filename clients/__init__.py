"""Ways to talk to a Glyphscope service: a Python client, a command line, a drawing pad.

They speak HTTP only and import nothing of the library, the trainer or the service.
"""

from clients.client import Client
from clients.retries import Retries

__all__ = ["Client", "Retries"]
