"""Store → run: one loop on a CPU, a GPU or several processes; what a run's folder holds, and how it is opened."""
