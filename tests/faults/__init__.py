"""Every way a call to Claude can fail, in every variant, as a matrix: `make faults`."""
