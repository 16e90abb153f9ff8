"""What the pages take from the program itself: settings and planted faults."""
