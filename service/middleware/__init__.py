"""What happens to every request and answer. Pure ASGI: no task and no stream is added a request."""
