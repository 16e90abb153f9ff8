"""What prints or writes pages: `python -m bridge bench --NAME` each."""
