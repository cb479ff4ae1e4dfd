"""What the service says of itself: the OpenAPI document, its examples, the settings' reference."""
