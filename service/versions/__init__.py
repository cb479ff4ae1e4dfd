"""Which version of a checkpoint answers, and how that changes while the service serves."""
