"""Named errors of the labeling side. Each has a code that clients may rely on; `api/errors.py` gives the status.

`detail` is one sentence for a person; `fields` maps the name of each bad field to its own sentence.
"""


class Refused(Exception):
    """Something was asked for that cannot be done. Raise one of the kinds below."""

    code = "refused"
    detail = "This cannot be done."

    def __init__(self, detail: str = "", *, code: str = "", fields: dict[str, str] | None = None) -> None:
        self.detail = detail or self.detail
        self.code = code or self.code
        self.fields = fields or {}
        super().__init__(self.detail)


class Invalid(Refused):
    """What was sent is wrong in itself."""

    code = "invalid"
    detail = "Something that was sent is not right."


class Unauthenticated(Refused):
    code = "not_authenticated"
    detail = "Sign in, or send a token that works."


class Forbidden(Refused):
    code = "forbidden"
    detail = "Your role does not allow this."


class Missing(Refused):
    code = "not_found"
    detail = "There is no such thing."


class Conflict(Refused):
    """What was sent does not fit the state of things."""

    code = "conflict"
    detail = "This does not fit the present state."


class NotAMember(Forbidden):
    code = "not_a_member"
    detail = "You do not belong to this project."


class Paused(Forbidden):
    code = "membership_paused"
    detail = "Your work in this project is paused. What you hold can be finished; an admin can let you go on."


class LeaseUnknown(Missing):
    code = "lease_unknown"
    detail = "There is no lease with this token."


class LeaseOfAnother(Forbidden):
    code = "lease_of_another"
    detail = "This lease belongs to somebody else."


class LeaseLost(Conflict):
    code = "lease_lost"
    detail = "Your time ran out and somebody else has this task now. Your draft is kept; a late submission is kept too."


class AlreadyAnswered(Conflict):
    code = "already_answered"
    detail = "You have answered this task; edit that answer instead."


class AlreadySkipped(Conflict):
    code = "already_skipped"
    detail = "You have skipped this task."


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    detail = "This idempotency key came before with another body."


class InvitationUnknown(Missing):
    code = "invitation_unknown"
    detail = "There is no invitation with this link. Check that all of it was copied."


class InvitationOver(Conflict):
    """Was open once. The code says what ended it: `invitation_used`, `invitation_expired`, `invitation_revoked`."""

    code = "invitation_over"


class WrongKind(Invalid):
    code = "wrong_kind"
    detail = "This lease is for another kind of task."


class ProjectClosed(Conflict):
    code = "project_closed"
    detail = "This project is closed; nothing is handed out or taken."


class NotMeasured(Conflict):
    code = "not_measured"
    detail = "No labeler's reliability is known yet: have the project measured once several people rank the same items."


class UnconfirmedDraft(Invalid):
    code = "same_as_draft"
    detail = "The reply is the policy's draft, unchanged. Confirm that it is ideal as it is."


class TooMany(Refused):
    """Too many attempts. `seconds` says how long to wait."""

    code = "too_many_attempts"
    detail = "Too many attempts failed. Wait a while."

    def __init__(self, detail: str = "", *, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(detail, fields={"retry_after": f"{seconds} s"})


class TooLarge(Refused):
    code = "too_large"
    detail = "The request is larger than this server takes."


class WrongMethod(Refused):
    code = "method_not_allowed"
    detail = "This route does not take this method."
