"""Names of faults that several ladders can give."""

BOUNDARY = "zero boundary for periodic"
CHANNEL_ORDER = "channel order by name instead of by config"
LAST_BATCH = "last batch dropped"
ONE_OBJECT = "both sides one object"
SWAPPED = "axes x and y swapped"
