"""Decides whether a request is taken on: a pure function of what is asked, who asks and what is going on."""

from ndfd.admission.admit import Limits, Spec, Usage, admit, check_size
from ndfd.admission.jobs import JobLimits, JobLoad, JobPace, admit_job

__all__ = ["JobLimits", "JobLoad", "JobPace", "Limits", "Spec", "Usage", "admit", "admit_job", "check_size"]
