"""One order's life, positions, exposure, the risk limits, and the gate through which every order passes."""
