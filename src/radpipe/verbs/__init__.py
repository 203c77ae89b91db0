"""What people do with finished results: explain, verify, accept, prune, publish and pull them."""
