"""The one exception that means "your input, not our bug"."""


class BadInput(ValueError):
    """Input that cannot be used.

    The message is one line that names the thing (file, field, row or parameter) and the mend.
    The command line prints it without a traceback and exits with code 2.
    """
