"""What a teacher would say about the curves of a run: at most two sentences, and the change to try next.

``curves`` is what the rules look at, ``rules`` the table of them.
"""

from tl_core.coach.curves import Curves, curves_of
from tl_core.coach.rules import RULES, Remark, Rule, remark_on

__all__ = ["RULES", "Curves", "Remark", "Rule", "curves_of", "remark_on"]
