"""What a training runs in: a worker process of the dashboard, or a node of a Ray cluster."""
