"""What the doctor says: ``Finding`` objects, ranked so that the root cause comes first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from training.doctor.ailments import AILMENTS

Severity = Literal["critical", "warning", "note"]

WEIGHT: dict[str, int] = {"critical": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One ailment. ``picture`` names the PNG beside the report; ``caused_by`` the codes of root
    findings that explain this one, so that it goes away when they do."""

    code: str
    severity: Severity
    title: str
    evidence: str
    advice: str
    source: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    picture: str = ""
    caused_by: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def found(code: str, evidence: str, *, severity: Severity | None = None, **numbers: Any) -> Finding:
    """A finding of a known ailment; what is always true of the ailment comes from the table."""
    known = AILMENTS[code]
    return Finding(
        code=code,
        severity=severity or known.severity,
        title=known.title,
        evidence=evidence,
        advice=known.advice,
        source=known.source,
        numbers=numbers,
    )


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Causes before consequences, then by severity, then in the order of ``AILMENTS``, which goes
    from the data through the wiring to the learning rate and to what only shows at the end."""
    order = {code: place for place, code in enumerate(AILMENTS)}
    serious = {finding.code for finding in findings if finding.severity != "note"}
    causes = {code: [c for c in AILMENTS[code].causes if c in serious] for code in AILMENTS}

    def roots(code: str) -> set[str]:
        return {root for c in causes[code] for root in (roots(c) or {c})}

    def explained(finding: Finding) -> Finding:
        return replace(finding, caused_by=tuple(sorted(roots(finding.code), key=order.__getitem__)))

    return sorted(
        map(explained, findings),
        key=lambda f: (bool(f.caused_by), WEIGHT[f.severity], order[f.code]),
    )
