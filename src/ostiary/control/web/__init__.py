"""What people see in a browser, and the endpoints through which people and machines sign in."""
