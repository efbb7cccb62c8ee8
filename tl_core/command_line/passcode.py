"""``passcode``: the hash that lets the dashboard ask for a pass-code."""

from __future__ import annotations

import argparse
import getpass
import sys

from tl_core.command_line.output import Output
from tl_core.command_line.verb import DONE, Verb, no_arguments
from tl_core.errors import ConfigError
from tl_core.storage.passcode import hash_passcode
from tl_core.storage.workspace import Workspace


def _run(_options: argparse.Namespace, _workspace: Workspace, output: Output) -> int:
    text = hash_passcode(_ask())
    output.say("Start the dashboard with this line in its environment; the pass-code itself is kept nowhere.")
    output.result({"TL_PASSCODE_HASH": text}, [f"TL_PASSCODE_HASH={text}"])
    return DONE


def _ask() -> str:
    """The pass-code, typed twice and not shown; or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    passcode = getpass.getpass("Pass-code (it is not shown): ")
    if passcode != getpass.getpass("The same once more: "):
        raise ConfigError("The two pass-codes differ: run the command again.")
    return passcode


_HELP = "Make the hash of a pass-code, for TL_PASSCODE_HASH."
VERB = Verb("passcode", _HELP, no_arguments, _run, needs_workspace=False)
