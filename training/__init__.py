"""Program 1, offline: data -> fit -> evaluate -> publish a checkpoint version."""
