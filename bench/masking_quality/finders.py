"""The finders that are compared, each behind one method."""

import logging
import tempfile
from pathlib import Path
from typing import Protocol

from bench.masking_quality.samples import Span
from ostiary.masking.engine import MaskingEngine, detector_names
from ostiary.model.finding import Finding
from ostiary.model.masking import MaskingRule, Where

PERSONAL = tuple(name for name in detector_names() if name not in ("secrets", "minted-credential"))

PRESIDIO = (
    "EmailRecognizer", "PhoneRecognizer", "CreditCardRecognizer", "IbanRecognizer", "IpRecognizer", "UsSsnRecognizer",
    "UsItinRecognizer", "AuMedicareRecognizer", "AuTfnRecognizer", "CaSinRecognizer", "DeSocialSecurityRecognizer",
    "DeTaxIdRecognizer", "EsNieRecognizer", "EsNifRecognizer", "FiPersonalIdentityCodeRecognizer",
    "InAadhaarRecognizer", "InPanRecognizer", "ItFiscalCodeRecognizer", "KrRrnRecognizer", "NhsRecognizer",
    "PlPeselRecognizer", "SePersonnummerRecognizer", "SgFinRecognizer", "ThTninRecognizer", "TrNationalIdRecognizer",
    "UkNinoRecognizer", "ZaIdNumberRecognizer",
)  # fmt: skip
"""Those that look for what Ostiary's detectors look for."""
PRESIDIO_SCORE_MIN = 0.4
"""What Presidio's patterns give of themselves; below it they count on context words, which need a language model."""


class Finder(Protocol):
    name: str

    def find(self, text: str, path: str = "") -> list[Span]:
        """What it finds in a text that stands in a file of this name."""
        ...


class OstiaryFinder:
    """Masks the text as a request's, in one piece, and notes what was replaced."""

    def __init__(self, name: str, detectors: tuple[str, ...]) -> None:
        self.name = name
        self._engine = MaskingEngine([MaskingRule("all", frozenset(Where), detectors=detectors)], bytes(32))

    def find(self, text: str, path: str = "") -> list[Span]:
        found: list[tuple[int, int, str, str]] = []

        def notice(finding: Finding, value: bytes, start: int) -> None:
            found.append((start, start + finding.length, finding.detector, finding.format))

        data = text.encode()
        stream = self._engine.masker(notice=notice).stream("body")
        stream.feed(data)
        stream.finish()
        spans, at_byte, at = [], 0, 0
        for start, end, label, form in sorted(found):
            at += len(data[at_byte:start].decode(errors="ignore"))
            at_byte = start
            spans.append(Span(at, at + len(data[start:end].decode(errors="ignore")), label, form))
        return spans


class DetectSecretsFinder:
    """All its plugins with their usual filters, less those that ask a vendor whether a key is valid."""

    name = "detect-secrets"

    def __init__(self) -> None:
        from detect_secrets.core.scan import scan_file
        from detect_secrets.settings import default_settings

        logging.getLogger("detect_secrets").setLevel(logging.ERROR)
        self._scan, self._settings = scan_file, default_settings

    def find(self, text: str, path: str = "") -> list[Span]:
        with tempfile.TemporaryDirectory() as folder, self._settings():
            file = Path(folder) / (Path(path).name or "notes.txt")
            file.write_text(text, newline="")
            secrets = list(self._scan(str(file)))
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        spans = []
        for secret in secrets:
            value = secret.secret_value or ""
            at = text.find(value, starts[max(0, secret.line_number - 1)])
            if value and at >= 0:
                spans.append(Span(at, at + len(value), secret.type))
        return sorted(set(spans))


class PresidioFinder:
    """Its pattern recognizers alone, without a language model."""

    name = "presidio"

    def __init__(self) -> None:
        import tldextract
        from presidio_analyzer import predefined_recognizers

        # Presidio asks it whether an address's domain can be one; it would fetch its list from the Internet.
        tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
        logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
        self._recognizers = [getattr(predefined_recognizers, name)() for name in PRESIDIO]

    def find(self, text: str, path: str = "") -> list[Span]:
        spans = [
            Span(result.start, result.end, result.entity_type)
            for recognizer in self._recognizers
            for result in recognizer.analyze(text, recognizer.supported_entities, None) or ()
            if result.score >= PRESIDIO_SCORE_MIN
        ]
        return without_overlaps(spans)


def without_overlaps(spans: list[Span]) -> list[Span]:
    """The first and longest of those that overlap."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept
