"""From the record to the findings: every check, then the order of causes."""

from collections.abc import Sequence

from training.doctor.checks import course, data, start, wiring
from training.doctor.figures import figures
from training.doctor.findings import Finding, ranked
from training.doctor.record import Record

CHECKS = (data.check, wiring.check, start.check, course.check)


def diagnose(record: Record, also: Sequence[Finding] = ()) -> list[Finding]:
    """``also``: findings that were made elsewhere, to be ranked with the others."""
    numbers = figures(record)
    made = [finding for check in CHECKS for finding in check(record, numbers)]
    return ranked([*made, *also])
