"""Workspaces written by earlier versions of the code. What they hold has to open, resume and predict for ever.

``workspace_<commit>.tar.xz`` was written by ``make_<commit>.py`` on a checkout of that commit, through the functions
that the dashboard and the command line call: real imports, real trainings, real kills. The archive holds

- ``workspace/``: runs in every state, datasets, imported models, what belongs to people, and the cache,
- ``settings/``: settings files as the form saves them,
- ``images/``: images that no model has seen,
- ``expected.json``: what that version of the code said about all of it, see `tests.old_workspaces.answers`.

The tests compare today's code with ``expected.json``; `tests.old_workspaces.today` knows how today's code is asked.
Of runs that differ little one is tested every time, and the others with ``pytest -m long``. An archive is never
written anew and ``expected.json`` is never changed: where a test fails, today's code cannot read an old file, and
needs a migration.

To add the workspace of a later version, say of commit ``abc1234``:

1. Copy the newest ``make_*.py`` to ``make_abc1234.py`` and make it run on that commit. Add what is new since then: a
   state of a run, a setting, a file in the workspace.
2. On a clean checkout of ``abc1234`` with this package in it, run
   ``python -m tests.old_workspaces.make_abc1234 tests/old_workspaces/workspace_abc1234.tar.xz``: some minutes.
3. Add ``"abc1234"`` to `VERSIONS`; every test then runs on every version.

A ``make_*.py`` belongs to its commit: a renamed module or function is not renamed in it.

The archive stays small because its backbones have weights that repeat (`tests.old_workspaces.small_weights`), and
because xz finds the same backbone in all files.
"""

VERSIONS = ("0c3776b",)
