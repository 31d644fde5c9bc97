"""What is wrong with this machine, and the command that mends it."""

from sparkdesk.doctor.check import FAIL, OK, WARN, Check
from sparkdesk.doctor.checks import examine

__all__ = ["FAIL", "OK", "WARN", "Check", "examine"]
