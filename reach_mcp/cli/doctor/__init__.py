"""`doctor`: checks from the settings to the whole list of batches, each with what was seen and what to do."""
