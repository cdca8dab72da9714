"""The daemon as a service of the system: installed, started, looked at and taken away through the system's own manager.

Each manager (`systemd`, `launchd`, `windows`) says what a verb takes as a `plan` of typed steps; `execution` carries
plans out, tells each step before it is done, and undoes them when one fails. `packaged` finds the unit files and
property lists that come with ndfd; `units` and `launchd_plist` adapt them to where ndfd lies.
"""
