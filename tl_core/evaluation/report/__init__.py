"""An evaluation as one file to download: every measure of the Evaluate page, as a web page or as Markdown."""

from tl_core.evaluation.report.measures import Measures, as_values, take_measures
from tl_core.evaluation.report.writing import FORMATS, suffix_of, write_report

__all__ = ["FORMATS", "Measures", "as_values", "suffix_of", "take_measures", "write_report"]
