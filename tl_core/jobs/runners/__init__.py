"""What a training runs in: a worker process of the dashboard."""
