"""What is read from bodies and written into answers."""
