"""Bytes <-> messages: the Varlink wire, and the frames between supervisor, zygote and worker; no sockets, no clock."""
