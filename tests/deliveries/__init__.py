"""Deliveries and watch folders on real files, sockets and inotify."""
