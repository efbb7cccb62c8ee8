"""``doctor``: whether this machine is ready, and what to do if not."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tl_core.command_line.diagnosis import BROWSER_PORT, Finding, examine
from tl_core.command_line.output import Output
from tl_core.command_line.verb import BAD_INPUT, DONE, Verb
from tl_core.storage.workspace import Workspace


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a number from 1 to 65535, not {text!r}")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=BROWSER_PORT, help="where the browser shall find the dashboard")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    findings = list(examine(workspace, options.port))
    values = {
        "ok": all(finding.ok for finding in findings),
        "findings": [{**asdict(finding), "ok": finding.ok} for finding in findings],
    }
    output.result(values, [_line(finding) for finding in findings])
    return DONE if values["ok"] else BAD_INPUT


def _line(finding: Finding) -> str:
    if finding.ok:
        return f"OK     {finding.name}: {finding.text}"
    return f"TO DO  {finding.name}: {finding.text}. {finding.advice}"


VERB = Verb("doctor", "Check this machine, and say what to do.", _add_arguments, _run, needs_workspace=False)
