"""Services that find what no pattern can."""

from ostiary.adapters.detectors.services import DetectorServices

__all__ = ["DetectorServices"]
