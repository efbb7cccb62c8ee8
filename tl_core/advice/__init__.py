"""Advice on the curves of a run: at most two sentences, and the change to try next.

``curves`` is the input of the rules, ``curve_rules`` the table of them.
"""

from tl_core.advice.curve_rules import RULES, Remark, Rule, remark_on
from tl_core.advice.curves import Curves, curves_of

__all__ = ["RULES", "Curves", "Remark", "Rule", "curves_of", "remark_on"]
