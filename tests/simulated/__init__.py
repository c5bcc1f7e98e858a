"""Makers of the bundled samples: simulated data in the layouts of the real datasets, to try the kit on."""
