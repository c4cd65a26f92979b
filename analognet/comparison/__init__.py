"""One network measured every way, in stages that are kept by content; ends in a report value."""
