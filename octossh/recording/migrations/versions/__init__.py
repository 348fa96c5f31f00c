"""One module for each form; it only goes forward. The newest form is the one that `tables` describes."""
