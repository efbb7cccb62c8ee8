"""Looking for faults: doubtful labels and look-alikes, each beside what mends it."""
