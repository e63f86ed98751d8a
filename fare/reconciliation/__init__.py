"""Reconciliation: proving that two independent records of the same money agree. It moves no rider's money."""

from __future__ import annotations

from fare.reconciliation.audit import Audit, AuditFinding, audit
from fare.reconciliation.day import day_report
from fare.reconciliation.imports import FileReport, import_bank_statement, import_psp_report
from fare.reconciliation.proofs import look_at, run_proofs

__all__ = [
    "Audit",
    "AuditFinding",
    "FileReport",
    "audit",
    "day_report",
    "import_bank_statement",
    "import_psp_report",
    "look_at",
    "run_proofs",
]
