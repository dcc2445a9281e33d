"""What every test shares."""

from hypothesis import settings

# No deadline: a busy machine is not a failure. Always the same examples, so that a run can be told.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
