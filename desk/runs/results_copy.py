"""Copies a finished run's files to the store of [results] url."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
from pyarrow import fs

from desk.files import storage
from desk.files.storage import StoragePath
from desk.model.errors import RunFailed
from desk.runs.folder import RunFolder


class RunName(msgspec.Struct):
    """The fields that identify the run of a summary."""

    started_ns: int


def copy_results(folder: RunFolder, files: Iterable[Path]) -> str:
    """Copy these files and then summary.json into a folder of the run's name under `folder.results_url`; its URL.

    The summary is written last: if it exists, the copy is complete. Files of another run of that name are not
    overwritten. Raises RunFailed, CredentialsError.
    """
    place = storage.storage_path(folder.results_url, RunFailed) / folder.dir.name
    with storage.translate_storage_errors(place.url, RunFailed):
        _refuse_others(place, folder)
        if place.filesystem.type_name not in storage.WITHOUT_FOLDERS:
            place.filesystem.create_dir(place.path)
        for path in (*files, folder.summary):
            target = place / path.name
            fs.copy_files(
                str(path),
                target.path,
                source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=place.filesystem,
                use_threads=False,
            )
    return place.url


def _refuse_others(place: StoragePath, folder: RunFolder) -> None:
    """Raise RunFailed if the folder has another run's results."""
    there = place / folder.summary.name
    if there.filesystem.get_file_info(there.path).type == fs.FileType.NotFound:
        return
    with there.filesystem.open_input_stream(there.path) as stream:
        content = stream.read()
    try:
        found = msgspec.json.decode(content, type=RunName)
    except msgspec.MsgspecError:
        found = None
    if found != msgspec.json.decode(folder.summary.read_bytes(), type=RunName):
        raise RunFailed(
            place.url,
            "another run's results are there",
            "a name that no run has used there",
            "Copy the run folder by hand under another name, and name each run's folder anew with --run-dir.",
        )
