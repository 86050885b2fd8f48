"""Files here and elsewhere: reading, writing, downloading, and what a user configured."""
