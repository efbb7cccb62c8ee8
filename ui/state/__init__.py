"""What a browser tab and the server remember between reruns."""
