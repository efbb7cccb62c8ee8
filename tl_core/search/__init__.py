"""The search for the best model: many heads on stored features of frozen backbones, and one of them becomes a run.

`record` keeps a search on the disk, `space` says what it may choose, `features` and `heads` measure a choice,
`trials` is the loop over them, `verdict` how sure the outcome is, `searching` one search from its start to the
finished run, `process` the child process it works in.
"""
