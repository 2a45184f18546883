"""`tocsin publish key|init|sign|rotate|succeed`: whose keys speak for a repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tocsin.cli.printable import printable
from tocsin.cli.publish_options import (
    CONTEXT,
    PATH,
    completed_values,
    folder_argument,
    json_option,
    keys_option,
    passphrase_option,
    pkcs11_option,
    print_json,
    publishing,
    quiet_option,
    say_completed,
    secrets_from,
    use_module,
    waiting_said,
)
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from tocsin.updates.publish.keys import PublicKey
    from tocsin.updates.publish.roots import RoleKeys, Roles
    from tocsin.updates.publish.session import Session

ROLES = ("root", "targets", "snapshot", "timestamp", "custodian")
_algorithm_option = click.option(
    "--algorithm",
    type=click.Choice(["ed25519", "ecdsa", "mldsa-65"]),
    default="ed25519",
    show_default=True,
    help="For keys that are made.",
)
_public_key_option = click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    metavar="ROLE=FILE",
    help="A key that somebody else made, by its .pub file; repeat it for each. Roles: "
    "root, custodian, targets, snapshot, timestamp.",
)


@click.command("key", context_settings=CONTEXT)
@click.argument("name")
@click.option("--keys", type=PATH, required=True, metavar="DIR", help="Folder for its files.")
@_algorithm_option
@click.option("--token", metavar="LABEL", help="The key is in the PKCS#11 token of this label.")
@click.option("--token-key", type=int, metavar="ID", help="The key's number in the token.")
@passphrase_option
@pkcs11_option
@json_option
def key(
    name: str,
    keys: Path,
    algorithm: str,
    token: str | None,
    token_key: int | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    as_json: bool,
) -> None:
    """Make a key, or write down the public half of one that a token holds.

    NAME.pub is public and is what others collect; NAME.key is locked by a passphrase and stays
    with whoever made it. A key in a token (PKCS#11, ECDSA) has no NAME.key.

    Exit status: 0 made, 2 something is wrong.

    \b
    Examples:
      tocsin publish key alice --keys ~/ceremony
      tocsin publish key bob --keys ~/ceremony --token YubiKey --token-key 2
    """
    from tocsin.updates.publish.keys import Algorithm, make_key
    from tocsin.updates.publish.token_keys import import_token_key

    use_module(pkcs11_module)
    if token is None and token_key is None:
        passphrase = secrets_from(passphrase_files, new=True)(name)
        made = make_key(keys, name, passphrase, algorithm=Algorithm(algorithm))
    else:
        secrets = secrets_from(passphrase_files)
        made = import_token_key(
            keys, name, secrets, keyid=2 if token_key is None else token_key, label=token
        )
    if as_json:
        print_json({"name": name, "keyid": made.keyid, "public": str(made.path)})
    else:
        click.echo(f"{printable(str(made.path))}: key {made.keyid}")


def _ceremony_options(function: Any) -> Any:
    for option in reversed(
        (
            click.option(
                "--keys", type=PATH, required=True, metavar="DIR", help="Folder of the keys."
            ),
            click.option("--name", required=True, help="Who publishes, for people to read."),
            click.option("--contact", default="", help="How to reach them."),
            click.option(
                "--origin",
                required=True,
                metavar="NAME",
                help="Name of the log: an address without a scheme, as example.org/log.",
            ),
            click.option("--log-url", default="", metavar="URL", help="Where the log will be."),
            click.option(
                "--policy",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                metavar="FILE",
                help="Witnesses, groups and the quorum (C2SP tlog-policy, without a log line).",
            ),
            click.option("--root-keys", default=3, show_default=True, help="Root keys to make."),
            click.option(
                "--root-threshold", default=2, show_default=True, help="Of which must sign."
            ),
            click.option("--custodian-keys", default=0, help="Custodians' keys to make."),
            click.option(
                "--custodian-threshold",
                default=0,
                help="How many custodians may appoint a successor; default: most of them.",
            ),
            _algorithm_option,
            _public_key_option,
            passphrase_option,
            pkcs11_option,
            quiet_option,
            json_option,
        )
    ):
        function = option(function)
    return function


@click.command("init", context_settings=CONTEXT)
@folder_argument
@_ceremony_options
def init(folder: Path, **values: Any) -> None:
    """Begin as a publisher: keys, root 1, an empty repository, and a log with the root in it.

    Keys that are not given by --public-key are made in the folder of keys, which is best not on
    a machine that serves anything. When others must sign the root, it waits as a draft: carry it
    to them ('tocsin publish sign'), then 'tocsin publish finish'. When witnesses must know the
    log first, give them its key, then 'tocsin publish finish'.

    DIR/repository is what others see; DIR/trust is what a user needs to begin with.

    Exit status: 0 done, 1 waiting for signatures or witnesses, 2 something is wrong.

    \b
    Examples:
      tocsin publish init pub --keys keys --name "Example Guild" --origin example.org/log
      tocsin publish init pub --keys keys --name Guild --origin example.org/log \\
          --policy witnesses --public-key root=alice.pub --public-key root=bob.pub
    """
    from tocsin.updates.layout import Publisher
    from tocsin.updates.publish.ceremony import draft_first_root

    with waiting_said(values["as_json"]), _begun(folder, values) as session:
        roles = _new_roles(session, values)
        drafted = draft_first_root(session, roles, Publisher(values["name"], values["contact"]))
        _finish_or_wait(session, drafted.path, values["as_json"])


@click.command("succeed", context_settings=CONTEXT)
@folder_argument
@click.option(
    "--from",
    "repository",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    metavar="REPOSITORY",
    help="A complete copy of the repository that is to go on, from any mirror.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="TRUST",
    help="Folder with the old publisher's root.json and policy, as you had them from them (their "
    "DIR/trust). Default: whom this device trusts.",
)
@_ceremony_options
def succeed(folder: Path, repository: Path, trust: Path | None, **values: Any) -> None:
    """Succeed a publisher who is gone: new keys and a log of your own over the same repository.

    The next root is drafted with your keys; a threshold of the old publisher's keys, or of the
    custodians they named, signs it ('tocsin publish sign'), then 'tocsin publish finish'. The
    custodians stay unless you name others. Devices show who you are and wait for their users'
    consent; your log's key and policy are in DIR/trust.

    Nothing in the copy is believed: what the old publisher's keys did not sign, or what is not in
    their log as the policy asks, is named and nothing is begun. An older root of theirs is better
    than the newest: roots after it are checked, and kept for devices that are as far behind.

    Exit status: 0 done, 1 waiting for signatures or witnesses, 2 something is wrong.

    \b
    Examples:
      tocsin publish succeed new --from mirror/ --keys keys --name "New Guild" \\
          --origin new.example/log
    """
    from tocsin.app.updates import device_trust
    from tocsin.cli.settings_option import current_settings
    from tocsin.updates.layout import Publisher
    from tocsin.updates.publish.ceremony import draft_rotation, successor_roles
    from tocsin.updates.publish.succession import take_over
    from tocsin.updates.receive.trust import read_trust

    old = read_trust(trust) if trust else device_trust(current_settings())
    with waiting_said(values["as_json"]), _begun(folder, values) as session:
        before = take_over(session.workspace, repository, old.root, old.policy)
        roles = _new_roles(session, values)
        roles = successor_roles(before, roles)
        publisher = Publisher(values["name"], values["contact"], session.now)
        drafted = draft_rotation(session, roles, publisher)
        _finish_or_wait(session, drafted.path, values["as_json"])


def _begun(folder: Path, values: dict[str, Any]) -> Any:
    """A session in a folder that is made, with the log's key and the policy in it."""
    from contextlib import contextmanager

    from tocsin.transparency.policy import Policy
    from tocsin.updates.publish.beginning import left_as_it_was
    from tocsin.updates.publish.ceremony import make_log_key, write_policy
    from tocsin.updates.publish.workspace import PublisherSettings, Workspace

    @contextmanager
    def begun() -> Any:
        policy = values["policy"].read_bytes() if values["policy"] else b""
        Policy.parse(policy or b"quorum none")  # before anything is made
        settings = PublisherSettings(
            values["origin"], str(values["keys"].absolute()), log_url=values["log_url"]
        )
        workspace, keys = Workspace(folder), values["keys"]
        with left_as_it_was(workspace, keys):
            workspace.create(settings, b"quorum none\n")
            keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            with publishing(
                folder,
                None,
                values["passphrase_files"],
                values["pkcs11_module"],
                no_progress=values["no_progress"],
                new=True,
            ) as session:
                session.progress("making keys")
                make_log_key(session)
                write_policy(session, policy)
                yield session

    return begun()


def _finish_or_wait(session: Session, draft: Path, as_json: bool) -> None:
    from tocsin.updates.publish.ceremony import finish

    if not as_json:
        click.echo(f"The log's key, for witnesses: {session.log().verifier.vkey}")
        click.echo(f"The draft of the root: {printable(str(draft))}")
    done = finish(session)
    if as_json:
        print_json({**completed_values(done), "log_key": session.log().verifier.vkey})
    else:
        say_completed(done)


def _new_roles(session: Session, values: dict[str, Any]) -> Roles:
    from tocsin.updates.publish.roots import RoleKeys, Roles

    given = _given_keys(session, values["public_keys"])
    counts = {
        "root": values["root_keys"],
        "targets": 1,
        "snapshot": 1,
        "timestamp": 1,
        "custodian": values["custodian_keys"],
    }
    held = {
        role: given.get(role) or _made(session, role, counts[role], values["algorithm"])
        for role in ROLES
    }

    def keys(role: str, threshold: int = 1) -> RoleKeys:
        return RoleKeys(tuple(public.key for public in held[role]), threshold)

    custodians = None
    if held["custodian"]:
        most = len(held["custodian"]) // 2 + 1
        threshold = values["custodian_threshold"] or max(most, values["root_threshold"])
        custodians = keys("custodian", threshold)
    return Roles(
        keys("root", values["root_threshold"]),
        keys("targets"),
        keys("snapshot"),
        keys("timestamp"),
        custodians,
    )


def _given_keys(session: Session, public_keys: Sequence[str]) -> dict[str, list[PublicKey]]:
    """Keys that others made; their public files are kept among the others, for their names."""
    from tocsin.updates.publish.files import create_file, read_bounded
    from tocsin.updates.publish.keys import read_public_key

    given: dict[str, list[PublicKey]] = {}
    for text in public_keys:
        role, equals, file = text.partition("=")
        if not equals or role not in ROLES:
            raise UsageError(f"{text!r}: write ROLE=FILE, with a role of {', '.join(ROLES)}")
        public = read_public_key(Path(file))
        ours = session.keys.folder / public.path.name
        if not ours.exists():
            create_file(ours, read_bounded(public.path, 1 << 16), mode=0o644)
        elif read_public_key(ours).keyid != public.keyid:
            raise UsageError(f"{ours}: another key has the name {public.name!r}; rename one")
        given.setdefault(role, []).append(read_public_key(ours))
    return given


def _made(session: Session, role: str, count: int, algorithm: str) -> list[PublicKey]:
    from tocsin.updates.publish.keys import Algorithm, make_key

    made: list[PublicKey] = []
    number = 0
    while len(made) < count:
        number += 1
        name = f"{role}-{number}"
        if (session.keys.folder / f"{name}.pub").exists():
            continue
        session.progress(f"making the key {name}")
        # Off line keys may be of any kind; those that sign daily stay small on the wire.
        kind = algorithm if role in ("root", "custodian") else "ed25519"
        made.append(
            make_key(
                session.keys.folder, name, session.keys.secrets(name), algorithm=Algorithm(kind)
            )
        )
    return made


@click.command("sign", context_settings=CONTEXT)
@click.argument("draft", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--keys", type=PATH, required=True, metavar="DIR", help="Folder of your keys.")
@click.option("--key", "names", multiple=True, metavar="NAME", help="Only this key; repeatable.")
@click.option(
    "--merge",
    "copies",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="COPY",
    help="Take the signatures from a copy that somebody else signed, and sign nothing.",
)
@passphrase_option
@pkcs11_option
@json_option
def sign(
    draft: Path,
    keys: Path,
    names: Sequence[str],
    copies: Sequence[Path],
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    as_json: bool,
) -> None:
    """Sign the draft of a root with your keys, on any machine; it is shown first.

    Without --key, every key in the folder that the draft names as a root key signs; a key that
    only the root before names must be given.

    Exit status: 0 signed, 2 something is wrong.

    \b
    Examples:
      tocsin publish sign 2.root.json --keys /media/stick
      tocsin publish sign 2.root.json --keys /media/stick --key alice
      tocsin publish sign pub/work/draft/2.root.json --keys keys --merge alice-2.root.json
    """
    from tocsin.updates.publish.keys import KeyFolder, once_asked
    from tocsin.updates.publish.roots import describe_draft, merge_signatures, sign_draft

    use_module(pkcs11_module)
    if copies:
        new = merge_signatures(draft, copies)
        if as_json:
            print_json({"draft": str(draft), "new_signatures": new})
        else:
            click.echo(f"{printable(str(draft))}: {new} new signatures")
        return
    for line in () if as_json else describe_draft(draft):
        click.echo(printable(line))
    folder = KeyFolder(keys, once_asked(secrets_from(passphrase_files)))
    signed = sign_draft(draft, folder, names=tuple(names))
    if as_json:
        print_json({"draft": str(draft), "signed": list(signed)})
    else:
        click.echo(f"Signed by {', '.join(signed)}")


@click.command("rotate", context_settings=CONTEXT)
@folder_argument
@click.option(
    "--new-key",
    "new_keys",
    multiple=True,
    type=click.Choice(ROLES),
    metavar="ROLE",
    help="Make a key for this role; repeat it for more. The role's keys are the given ones only.",
)
@_public_key_option
@click.option("--threshold", "thresholds", multiple=True, metavar="ROLE=N", help="Of a role.")
@_algorithm_option
@keys_option
@passphrase_option
@pkcs11_option
@quiet_option
@json_option
def rotate(
    folder: Path,
    new_keys: Sequence[str],
    public_keys: Sequence[str],
    thresholds: Sequence[str],
    algorithm: str,
    keys: Path | None,
    passphrase_files: Sequence[str],
    pkcs11_module: Path | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Make the next root: with other keys, or with the same and a later expiry.

    A role that --new-key or --public-key names has exactly those keys from then on; the others
    stay. When the keys that sign daily change, everything still offered is signed and logged
    anew with the new ones. A root with which devices will wait is left as a draft, to 'finish'.

    Exit status: 0 done, 1 waiting for signatures, witnesses or you, 2 something is wrong.

    \b
    Examples:
      tocsin publish rotate pub
      tocsin publish rotate pub --new-key timestamp --new-key targets
      tocsin publish rotate pub --public-key root=alice.pub --public-key root=carol.pub
    """
    from tocsin.app.publish_root import demand_routine
    from tocsin.updates.publish.ceremony import draft_rotation
    from tocsin.updates.publish.metadata import read_published
    from tocsin.updates.publish.roots import RoleKeys, roles_of, with_role

    with (
        waiting_said(as_json),
        publishing(
            folder, keys, passphrase_files, pkcs11_module, no_progress=no_progress
        ) as session,
    ):
        root = read_published(session.workspace.repository).root.signed
        roles = roles_of(root)
        given = _given_keys(session, public_keys)
        for role in dict.fromkeys(new_keys):
            given.setdefault(role, []).extend(
                _made(session, role, list(new_keys).count(role), algorithm)
            )
        stated = _thresholds(thresholds)
        for role in ROLES:
            field = "custodians" if role == "custodian" else role
            held = getattr(roles, field) or RoleKeys((), 1)
            if role not in given and role not in stated:
                continue
            new = tuple(public.key for public in given.get(role, ())) or held.keys
            threshold = stated.get(role, held.threshold)
            roles = with_role(roles, field, RoleKeys(new, threshold))
        drafted = draft_rotation(session, roles)
        demand_routine(session, root, drafted.path)
        _finish_or_wait(session, drafted.path, as_json)


def _thresholds(thresholds: Sequence[str]) -> dict[str, int]:
    stated = {}
    for text in thresholds:
        role, _, number = text.partition("=")
        if role not in ROLES or not number.isdecimal():
            raise UsageError(f"{text!r}: write ROLE=N, with a role of {', '.join(ROLES)}")
        stated[role] = int(number)
    return stated


COMMANDS = (key, init, sign, rotate, succeed)
