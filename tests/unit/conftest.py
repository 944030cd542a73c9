"""One thread for the unit tests: their batches are too small to be worth sharing out."""

import os

# Numba's threads are OpenMP's, as PyTorch's are: starting them would raise the number for both.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
