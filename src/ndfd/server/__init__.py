"""The socket API: one set of methods, and the Varlink and HTTP doors in front of it."""
