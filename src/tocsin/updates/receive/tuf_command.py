"""`tocsin-tuf`: the TUF client alone, with the command line of the TUF conformance suite.

It is the client that `tocsin update` uses, without the log and without consent, so that others
can test it: https://github.com/theupdateframework/tuf-conformance (CLIENT-CLI.md).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError

from tocsin.errors import TocsinError
from tocsin.updates.receive.fetch import FolderFetcher, SchemeFetcher
from tocsin.updates.receive.http import HttpFetcher
from tocsin.updates.receive.mirrors import mirror_folders
from tocsin.updates.receive.tuf_client import TufClient, install_root


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tocsin-tuf",
        description="Follow a TUF repository's metadata and download targets of it.",
        epilog="Exit status: 0 done; 1 it could not be done, or must not be.",
    )
    parser.add_argument("--metadata-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--metadata-url", metavar="URL")
    parser.add_argument("--target-name", action="append", default=[], metavar="PATH")
    parser.add_argument("--target-base-url", metavar="URL")
    parser.add_argument("--target-dir", type=Path, metavar="DIR")
    verbs = parser.add_subparsers(dest="verb", required=True)
    begin = verbs.add_parser("init", help="begin with a root that is trusted")
    begin.add_argument("root", type=Path, metavar="ROOT")
    verbs.add_parser("refresh", help="bring the metadata up to date")
    verbs.add_parser("download", help="bring it up to date and download targets")
    arguments = parser.parse_args(given)
    needed = {
        "init": (),
        "refresh": ("metadata_url",),
        "download": ("metadata_url", "target_name", "target_base_url", "target_dir"),
    }[arguments.verb]
    for name in needed:
        if not getattr(arguments, name):
            parser.error(f"{arguments.verb} needs --{name.replace('_', '-')}")
    return arguments


def _do(arguments: argparse.Namespace) -> None:
    if arguments.verb == "init":
        install_root(arguments.metadata_dir, arguments.root)
        return
    http = HttpFetcher()
    bases = [url for url in (arguments.metadata_url, arguments.target_base_url) if url]
    folders = FolderFetcher(mirror_folders(bases))
    fetcher = SchemeFetcher({"http": http, "https": http, "file": folders})
    client = TufClient(
        arguments.metadata_dir,
        arguments.metadata_url,
        fetcher,
        trusted_root=None,
        target_dir=arguments.target_dir,
        target_url=arguments.target_base_url,
    )
    client.refresh()
    for name in arguments.target_name:
        target = client.get_targetinfo(name)
        if target is None:
            raise RepositoryError(f"{name}: no role that is trusted for it lists such a target")
        if client.find_cached_target(target) is None:
            client.download_target(target)


def run(given: Sequence[str] | None = None) -> None:
    """Entry point; ends the process with the exit status."""
    arguments = _arguments(given)
    try:
        _do(arguments)
    except (RepositoryError, DownloadError, TocsinError, OSError, ValueError) as error:
        print(f"tocsin-tuf: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    run()
