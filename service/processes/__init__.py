"""The processes that serve, their sockets, connections and threads, and how each ends."""
