"""What stops a report that is not the user's input."""


class ReportFailed(RuntimeError):
    """A notebook raised, or the site has warnings; the message says which and where to look."""
