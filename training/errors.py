"""Named errors of the training side. Each is of a kind whose status `labeling.api.errors` knows."""

from labeling import errors


class BadRun(errors.Invalid):
    """Config or inputs are wrong; `fields` names each option, and each input as `inputs.NAME`."""

    code = "bad_run"
    detail = "The run was refused; nothing was queued."


class RunNotFound(errors.Missing):
    code = "run_not_found"
    detail = "There is no such run."


class CheckpointNotFound(errors.Missing):
    code = "checkpoint_not_found"
    detail = "There is no such checkpoint."


class RoundNotFound(errors.Missing):
    code = "round_not_found"
    detail = "There is no such round."


class PlaygroundRequestNotFound(errors.Missing):
    code = "playground_request_not_found"
    detail = "There is no such request, or it was a day ago."


class PlaygroundBusy(errors.Conflict):
    code = "playground_busy"
    detail = "Several requests of yours wait already; wait for them or cancel them."


class RunIsFinal(errors.Conflict):
    code = "run_is_final"
    detail = "The run has ended already."


class RunCannotResume(errors.Conflict):
    code = "run_cannot_resume"
    detail = "Only a failed or cancelled run can be resumed."


class NoOutput(errors.Conflict):
    code = "no_output"
    detail = "The run has no output to download: it has not succeeded, or its files are not on this machine."


class NothingToCompare(errors.Conflict):
    code = "nothing_to_compare"
    detail = "Only an evaluate run that has succeeded and had a reference policy can be compared by people."


class RoundOpen(errors.Conflict):
    code = "round_open"
    detail = "The project has an open round; close it first."


class RoundWaits(errors.Conflict):
    code = "round_waits"
    detail = "The round waits for its run."


class RoundMoved(errors.Conflict):
    code = "round_moved"
    detail = "Somebody else has moved the round meanwhile; look at it again."
