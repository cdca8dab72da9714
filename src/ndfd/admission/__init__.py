"""Decides whether a request is taken on: a pure function of what is asked, who asks and what is going on."""

from ndfd.admission.admit import Limits, Spec, Usage, admit, check_size

__all__ = ["Limits", "Spec", "Usage", "admit", "check_size"]
