"""Running something in a confined child, and hearing what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from typing import Any

from tocsin.sandbox import confine
from tocsin.sandbox.policy import Policy


class Broken(AssertionError):
    """What was run raised, or ended the process."""


def confined(policy: Policy, act: Callable[[], Any], keep: Collection[int] = ()) -> Any:
    """What `act` returns in a child that was confined; must be fit for JSON."""
    return in_child(lambda writer: (confine.confine(policy, (writer, *keep)), act())[1])


def in_child(act: Callable[[int], Any]) -> Any:
    """What `act` returns in a child; it is given the descriptor of the answer, to keep."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            answer = json.dumps({"value": act(writer)})
        except BaseException as error:
            answer = json.dumps({"error": repr(error)})
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as answers:
        said = answers.read()
    status = os.waitpid(child, 0)[1]
    if not said:
        raise Broken(f"it ended with status {status}")
    answer = json.loads(said)
    if "error" in answer:
        raise Broken(answer["error"])
    return answer["value"]


def refused(act: Callable[[], object]) -> bool:
    """Whether something raises `OSError`."""
    try:
        act()
    except OSError:
        return True
    return False
