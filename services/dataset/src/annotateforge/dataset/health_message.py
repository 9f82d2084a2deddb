"""Writes health reports as the message that the API shows and that a data set keeps."""

from uuid import UUID

from annotateforge.api.dataset.v1 import problem_pb2
from annotateforge.dataset.health import HealthReport
from annotateforge.dataset.problems import Severity

_SEVERITIES = {
    Severity.INFO: problem_pb2.SEVERITY_INFO,
    Severity.WARNING: problem_pb2.SEVERITY_WARNING,
    Severity.ERROR: problem_pb2.SEVERITY_ERROR,
}


def health_message(report: HealthReport) -> problem_pb2.HealthReport:
    """A health report as the API shows it."""
    return problem_pb2.HealthReport(
        findings=[
            problem_pb2.Finding(
                severity=_SEVERITIES[finding.severity],
                reason=finding.reason,
                message=finding.message,
                hint=finding.hint,
                count=finding.count,
                example_image_ids=[str(UUID(bytes=image_id)) for image_id in finding.example_image_ids],
                class_label=finding.class_label,
            )
            for finding in report.findings
        ],
        trainable=not report.errors,
        total_images=report.total_images,
        train_images=report.train_images,
        val_images=report.val_images,
        test_images=report.test_images,
        background_images=report.background_images,
        classes=[
            problem_pb2.ClassBalance(
                class_label=row.class_label,
                train_images=row.train_images,
                val_images=row.val_images,
                train_instances=row.train_instances,
                val_instances=row.val_instances,
                test_images=row.test_images,
                test_instances=row.test_instances,
            )
            for row in report.classes
        ],
        skipped=[
            problem_pb2.Skipped(reason=each.reason, kind=each.kind, count=each.count, message=each.message)
            for each in report.skipped
        ],
    )


def shortened_message(report: HealthReport, most_bytes: int) -> problem_pb2.HealthReport:
    """The same with what of it fits into so many bytes: all counts but those of classes and of what was
    skipped, and the findings, the worst first, with fewer examples where that lets more of them in.
    """
    whole = health_message(report)
    shortened = problem_pb2.HealthReport()
    shortened.CopyFrom(whole)
    for field in ("classes", "skipped", "findings"):
        shortened.ClearField(field)
    # Room for the field's own number and length.
    left = most_bytes - shortened.ByteSize() - 8
    findings = list(whole.findings)
    for most_examples in (3, 1):
        if sum(finding.ByteSize() + 4 for finding in findings) > left:
            findings = [_with_examples(finding, most_examples) for finding in findings]
    for number, finding in enumerate(findings):
        left -= finding.ByteSize() + 4
        if left < 0:
            shortened.findings_omitted = len(findings) - number
            break
        shortened.findings.append(finding)
    return shortened


def _with_examples(finding: problem_pb2.Finding, most: int) -> problem_pb2.Finding:
    fewer = problem_pb2.Finding()
    fewer.CopyFrom(finding)
    del fewer.example_image_ids[most:]
    return fewer
