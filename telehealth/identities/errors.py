"""What making one record of two may refuse."""

from telehealth.core.errors import Conflict, Unprocessable


class RecordMerged(Conflict):
    """One of the records was merged already."""

    code = "record-merged"


class MergeNeedsChoice(Conflict):
    """Both records have an appointment at one time: it must be said which one stays."""

    code = "merge-needs-choice"


class MergeNeedsOthers(Conflict):
    """Another facility has an appointment at the same time, or only that one knows a record."""

    code = "merge-needs-others"


class BadMerge(Unprocessable):
    """The two records were not said to be of one person."""

    code = "bad-merge"
