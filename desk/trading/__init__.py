"""One order's life, positions, exposure, the risk limits, and the gate that alone approves orders."""
