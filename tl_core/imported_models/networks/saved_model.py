"""The static check of a SavedModel, before TensorFlow loads it: what its graph could do besides computing.

A graph may read and write files, and call Python that is registered in its process. Of the operations that keep a
state or touch something outside only those of variables are let through, and those that save and restore variables
only where nothing but saving and restoring calls them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tl_core.errors import ModelFileError

PROTO: Final = "saved_model.pb"
VARIABLES: Final = "variables"
MOST_BYTES: Final = 400_000_000  # of all files
MOST_FILES: Final = 50
_MOST_PROTO: Final = 100_000_000  # bytes; the weights are in other files
_OUTSIDE: Final = re.compile(  # of names of operations that touch something outside, whether or not they say so
    r"File|Reader|Save|Restore|Checkpoint|PyFunc|Print|Dataset|Iterator|Summary|Socket|Rpc|Remote|Host|Custom|Plugin|"
    r"Immutable|Vocab|Abort|"
    r"Debug|Write|Read(?!VariableOp)|Table|Queue|Decode|Encode|Xla|TPU|Sql|Kafka|Gcs|S3|Barrier|Collective|Send|Recv"
)
_VARIABLES: Final = frozenset(  # stateful, and needed
    {
        "VarHandleOp", "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp",
        "VarIsInitializedOp", "DisableCopyOnRead", "StatefulPartitionedCall", "PartitionedCall", "Placeholder", "If",
        "While", "Assert", "RandomUniform", "RandomStandardNormal", "TruncatedNormal",
    }
)  # fmt: skip
_SAVING: Final = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"})


def check_files(folder: Path) -> int:
    """Whether a folder has the files of a SavedModel and nothing strange; gives the bytes of all.

    Raises:
        ModelFileError: it has not; the message is one sentence.
    """
    if not (folder / PROTO).is_file():
        raise ModelFileError(
            f"There is no {PROTO} in it, so it is no SavedModel: bring the folder, or the tar.gz, of a feature "
            "vector."
        )
    everything = list(folder.rglob("*"))
    files = [path for path in everything if not path.is_dir()]
    if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in everything):
        raise ModelFileError("The SavedModel holds a link in place of a file: it is not opened.")
    size = sum(path.stat().st_size for path in files)
    if len(files) > MOST_FILES or size > MOST_BYTES or (folder / PROTO).stat().st_size > _MOST_PROTO:
        raise ModelFileError(
            f"The SavedModel has {len(files):,} files of {size / 1e6:,.0f} MB, more than the {MOST_FILES} files and "
            f"{MOST_BYTES / 1e6:.0f} MB allowed: bring a smaller network."
        )
    if (folder / "assets").is_dir() and any((folder / "assets").iterdir()):
        raise ModelFileError(
            "The SavedModel brings further files (assets), which no image network needs: not opened."
        )
    return size


def check_graph(folder: Path) -> None:
    """Refuse a SavedModel whose graph could do something else than compute; nothing of it is loaded.

    Raises:
        ModelFileError: it could, or it is damaged or of TensorFlow 1.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString((folder / PROTO).read_bytes())
    except DecodeError as error:
        raise ModelFileError(f"The file {PROTO} is damaged or cut off: download the network again.") from error
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].object_graph_def.nodes:
        raise ModelFileError(
            "The SavedModel was written by TensorFlow 1: take the version of the network for TensorFlow 2."
        )
    graph = saved.meta_graphs[0]
    if graph.asset_file_def:
        raise ModelFileError(
            "The SavedModel brings further files (assets), which no image network needs: not opened."
        )
    saving = _functions_for_saving(graph)
    for function, node in _nodes(graph):
        if node.op in _SAVING and function in saving:
            continue
        if not _only_computes(node, graph):
            raise ModelFileError(
                f"The graph of the network holds the operation {node.op[:60]}, which could read or write files or "
                "run other code: it is not opened; take a network from a source that you trust."
            )


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Every operation, with the function it stands in; ``""`` is the graph itself."""
    for node in graph.graph_def.node:
        yield "", node
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _only_computes(node: Any, graph: Any) -> bool:
    from tensorflow.python.framework import op_def_registry

    if node.op in _VARIABLES:
        return True
    if any(function.signature.name == node.op for function in graph.graph_def.library.function):
        return True  # a call of a function, whose own operations are looked at, too
    known = op_def_registry.get(node.op)
    return known is not None and not known.is_stateful and not _OUTSIDE.search(node.op)


def _functions_for_saving(graph: Any) -> set[str]:
    """Names of the functions that save and restore the variables, and that nothing else calls."""
    saver = graph.saver_def
    ends = {name.partition(":")[0] for name in (saver.save_tensor_name, saver.restore_op_name) if name}
    calls = [(function, node, called) for function, node in _nodes(graph) for called in _called(node)]
    named = {called for function, node, called in calls if not function and node.name in ends}
    objects = set(graph.object_graph_def.concrete_functions)
    elsewhere = {called for function, node, called in calls if function or node.name not in ends} | objects
    for signature in graph.signature_def.values():
        reached = {entry.name.partition(":")[0] for entry in signature.outputs.values()}
        elsewhere |= {called for function, node, called in calls if not function and node.name in reached}
    return named - elsewhere


def _called(node: Any) -> list[str]:
    """Names of the functions that an operation calls."""
    of_one = [value.func.name for value in node.attr.values() if value.HasField("func")]
    of_many = [entry.name for value in node.attr.values() for entry in value.list.func]
    return [*of_one, *of_many, node.op]
