"""What stands on the other side of the ports: stores, desks, keepers, providers."""
