"""What a pattern cannot say: checksums, randomness, placeholders. Formats name these functions in their data files."""

from collections.abc import Callable, Mapping

from ostiary.masking.checks.credentials import CREDENTIAL_CHECKS
from ostiary.masking.checks.personal import PERSONAL_CHECKS

Check = Callable[[bytes, bytes], int]
"""(the matched value, up to 64 bytes before it) → how many of its first bytes count as the match; 0 refuses it."""

CHECKS: Mapping[str, Check] = {**CREDENTIAL_CHECKS, **PERSONAL_CHECKS}
