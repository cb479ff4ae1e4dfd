"""How each data set is read, one kind of file a module; ``training.data`` is the door."""
