"""Holds what an MCP client and a server said to each other against the official schema of their revision.

The schemas are read from the corpus `mcp-schema`: OMNI_CORPORA names the folder of the corpora, else they are
looked for beside the checkout.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import best_match

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("OMNI_CORPORA", ROOT.parent / "shared" / "corpora")) / "mcp-schema"
LEGACY = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
MODERN = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
# Errors that have a definition of their own.
ERRORS = {
    "2025-11-25": {-32042: "URLElicitationRequiredError"},
    MODERN: {
        -32020: "HeaderMismatchError", -32021: "MissingRequiredClientCapabilityError",
        -32022: "UnsupportedProtocolVersionError"},
}
OTHER = {"client": "server", "server": "client"}


class Revision:
    """One schema: what may be said by whom, and what is answered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema = json.loads((CORPUS / name / "schema.json").read_text())
        self.key = "$defs" if "$defs" in self.schema else "definitions"
        self.definitions = self.schema[self.key]
        self.compiled: dict[str, object] = {}

    def members(self, union: str) -> dict[str, str]:
        """The definitions of a union, by the method they are for."""
        shape = self.definitions.get(union, {})
        names = [item["$ref"].rpartition("/")[2] for item in shape.get("anyOf", [shape]) if "$ref" in item]
        if "properties" in shape:
            names = [union]
        return {self.definitions[name]["properties"]["method"]["const"]: name for name in names}

    def mistake(self, definition: str, value: object) -> str | None:
        if definition not in self.compiled:
            kind = Draft202012Validator if self.key == "$defs" else Draft7Validator
            # What stands beside a $ref counts for nothing in the older drafts.
            self.compiled[definition] = kind({self.key: self.definitions, "allOf": [{
                "$ref": f"#/{self.key}/{definition}"}]})
        error = best_match(self.compiled[definition].iter_errors(value))
        return error and f"{definition}{error.json_path[1:]}: {error.message[:300]}"

    def message(self, side: str, kind: str, method: str) -> tuple[str, bool]:
        """The definition of a request or notification, and whether it is one of this method."""
        known = self.members(f"{side.capitalize()}{kind}")
        return known.get(method, f"JSONRPC{kind}"), method in known

    def result(self, side: str, method: str, params: dict, result: object) -> str:
        """The definition of what answers a request of this side."""
        kind = result.get("resultType", "complete") if isinstance(result, dict) else "complete"
        if self.name == MODERN and kind == "input_required":
            return "InputRequiredResult"
        if "task" in params and "CreateTaskResult" in self.definitions:
            return "CreateTaskResult"
        request = self.members(f"{side.capitalize()}Request").get(method, "")
        name = request.removesuffix("Request") + "Result"
        # An extension defines results of its own; the schema knows only that they are results.
        is_own = self.name == MODERN and kind != "complete"
        return name if request and name in self.definitions and not is_own else "Result"


@cache
def revision(name: str) -> Revision:
    return Revision(name)


def missing() -> str | None:
    """Why nothing can be checked here."""
    return None if CORPUS.is_dir() else "corpus mcp-schema is not here (set OMNI_CORPORA to the folder that holds it)"


@dataclass
class Asked:
    method: str
    params: dict
    revision: str

    @property
    def token(self) -> object:
        return meta(self.params).get("progressToken")


def meta(params: object) -> dict:
    """`_meta`, which may be missing or wrong."""
    found = params.get("_meta") if isinstance(params, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass
class Conversation:
    """What one client and one server agreed on: a connection, a process or an HTTP session."""

    revision: str | None = None
    # By side and id; the type of an id counts.
    asked: dict[tuple, Asked] = field(default_factory=dict)
    # Revisions of single requests, for a notification that could belong to either era.
    used: set[str] = field(default_factory=set)
    # Progress may be told of these although the request is answered: it became a task.
    lasting: list[object] = field(default_factory=list)
    # Subscriptions without sessions, and whether each was acknowledged.
    listening: dict[str, bool] = field(default_factory=dict)


class SchemaJudge:
    """Takes the lines of a tap in their order, and keeps what was wrong."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.heads: dict[tuple, dict] = {}
        self.posted: dict[int, list[dict]] = {}
        self.valid: Counter[str] = Counter()
        self.mistakes: list[str] = []

    def read(self, path: Path) -> "SchemaJudge":
        if path.exists():
            for line in path.read_text().splitlines():
                self.line(json.loads(line))
        return self

    def line(self, line: dict) -> None:
        if "head" in line:
            self.heads[line["exchange"], line["by"]] = line["head"]
            if line["by"] == "server":
                self.status(line["exchange"], line["head"])
            return
        try:
            message = json.loads(line["text"])
        except ValueError:
            self.wrong(line["by"], line["text"], "not JSON")
            return
        if isinstance(message, list):
            self.batch(line, message)
        else:
            self.one(line, message)

    def wrong(self, by: str, message: object, why: str) -> None:
        self.mistakes.append(f"{by}: {why}\n  in {json.dumps(message)[:600]}")

    def status(self, exchange: int, head: dict) -> None:
        """What was posted and wants no answer is accepted with 202."""
        posted = self.posted.pop(exchange, [])
        status = int(head["start"].split(" ")[1])
        is_request = any("method" in item and "id" in item for item in posted)
        if posted and not is_request and status != 202 and not 400 <= status < 500:
            self.wrong("server", posted, f"answered with HTTP {status} what is no request")

    def conversation(self, line: dict) -> Conversation:
        exchange = line.get("exchange")
        if exchange is None:
            return self.conversations.setdefault(line["link"], Conversation())
        for side in ("client", "server"):
            session = self.heads.get((exchange, side), {}).get("mcp-session-id")
            if session:
                return self.conversations.setdefault(f"session {session}", Conversation())
        return self.conversations.setdefault(f"exchange {exchange}", Conversation())

    def batch(self, line: dict, messages: list) -> None:
        if self.conversation(line).revision != "2025-03-26" or not messages:
            self.wrong(line["by"], messages, "a batch, which only 2025-03-26 has")
        for message in messages:
            self.one(line, message)

    def one(self, line: dict, message: object) -> None:
        by = line["by"]
        if by == "client" and "exchange" in line:
            self.posted.setdefault(line["exchange"], []).append(message if isinstance(message, dict) else {})
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self.wrong(by, message, "no JSON-RPC 2.0")
        elif "method" not in message:
            self.answer(line, message)
        elif "id" in message:
            self.request(line, message)
        else:
            self.notification(line, message)

    # Each kind of message

    def request(self, line: dict, message: dict) -> None:
        by, talk = line["by"], self.conversation(line)
        method, params = message["method"], message.get("params") or {}
        version = self.revision_of(line, talk, method, params if isinstance(params, dict) else {})
        if version is None:
            self.wrong(by, message, "a request before any revision was agreed on")
            return
        definition, _ = revision(version).message(by, "Request", method)
        self.judge(version, by, message, ("JSONRPCRequest", message), (definition, message))
        key = (by, repr(message["id"]))
        where = self.exchange(line) if version == MODERN or method == "initialize" else talk
        if key in where.asked:
            self.wrong(by, message, "the id of a request that is not answered yet")
        talk.used.add(version)
        where.used.add(version)
        where.asked[key] = Asked(method, params if isinstance(params, dict) else {}, version)
        if method == "subscriptions/listen":
            where.listening[repr(message["id"])] = False

    def exchange(self, line: dict) -> Conversation:
        """Of a request that stands for itself over HTTP, else the connection."""
        name = f"exchange {line['exchange']}" if "exchange" in line else line["link"]
        return self.conversations.setdefault(name, Conversation())

    def revision_of(self, line: dict, talk: Conversation, method: str, params: dict) -> str | None:
        if method == "initialize":
            asked = params.get("protocolVersion")
            return asked if asked in LEGACY else LEGACY[-1]
        if method == "server/discover" or VERSION in meta(params):
            return MODERN
        if talk.revision:
            return talk.revision
        header = self.heads.get((line.get("exchange"), "client"), {}).get("mcp-protocol-version")
        return header if header in LEGACY else None

    def answer(self, line: dict, message: dict) -> None:
        by, talk = line["by"], self.conversation(line)
        key = (OTHER[by], repr(message.get("id")))
        asked = self.exchange(line).asked.pop(key, None) or talk.asked.pop(key, None)
        if asked is None:
            if "error" in message and message.get("id") is None:
                version = talk.revision or LEGACY[-1]
                # Of what has no id to name, JSON-RPC 2.0 §5 wants null and the text of MCP none at all; the
                # schemas before 2025-11-25 have no words for either.
                held = message | {"id": 0} if version < LEGACY[-1] else message
                self.judge(version, by, message, (self.error(version, message), held))
            else:
                self.wrong(by, message, "the answer to nothing that was asked")
            return
        version = asked.revision
        if asked.method == "initialize" and isinstance(message.get("result"), dict):
            version = message["result"].get("protocolVersion")
            if version not in LEGACY:
                self.wrong(by, message, f"initialize agrees on {version}")
                return
            talk.revision = version
        talk.used.add(version)
        if "task" in asked.params:
            talk.lasting.append(asked.token)
        if "result" in message:
            envelope = "JSONRPCResultResponse" if version in (LEGACY[-1], MODERN) else "JSONRPCResponse"
            definition = revision(version).result(OTHER[by], asked.method, asked.params, message["result"])
            self.judge(version, by, message, (envelope, message), (definition, message["result"]))
        else:
            self.judge(version, by, message, (self.error(version, message), message))

    @staticmethod
    def error(version: str, message: dict) -> str:
        error = message.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        envelope = "JSONRPCErrorResponse" if version in (LEGACY[-1], MODERN) else "JSONRPCError"
        return ERRORS.get(version, {}).get(code, envelope) if isinstance(code, int) else envelope

    def notification(self, line: dict, message: dict) -> None:
        by, talk = line["by"], self.conversation(line)
        possible = sorted(talk.used | self.exchange(line).used)
        if talk.revision:
            # Before the first answer everything is said in the revision that is agreed on afterwards.
            possible = [name for name in possible if name in (talk.revision, MODERN)]
        if not possible:
            self.wrong(by, message, "a notification before any revision was agreed on")
            return
        found = []
        for version in reversed(possible):
            definition, is_known = revision(version).message(by, "Notification", message["method"])
            wrong = [revision(version).mistake(name, message) for name in ("JSONRPCNotification", definition)]
            wrong = [text for text in wrong if text]
            # Extensions have notifications of their own; the schema of a revision names all others.
            if not is_known and version != MODERN:
                wrong.append(f"{by}s of {version} have no {message['method']}")
            if not wrong:
                wrong = [text for text in [self.out_of_place(line, talk, message)] if text]
            if not wrong:
                self.valid[version] += 1
                return
            found.append(f"{version}: {'; '.join(wrong)}")
        self.wrong(by, message, " / ".join(found))

    def out_of_place(self, line: dict, talk: Conversation, message: dict) -> str | None:
        """What no schema can say: whether there is a request that the notification belongs to."""
        where, params = self.exchange(line), message.get("params") or {}
        if message["method"] == "notifications/progress":
            # A request that was cancelled stays among those that are not answered: the two may cross.
            open_requests = [*talk.asked.items(), *where.asked.items()]
            tokens = [asked.token for (side, _), asked in open_requests if side != line["by"]]
            known = any(token == params.get("progressToken") for token in tokens + talk.lasting)
            return None if known else "progress of no request that is under way"
        if SUBSCRIPTION in meta(params):
            number = repr(meta(params)[SUBSCRIPTION])
            if number not in where.listening:
                return "belongs to no subscription"
            if message["method"] == ACKNOWLEDGED:
                where.listening[number] = True
            return None if where.listening[number] else "comes before its subscription is acknowledged"
        is_change = message["method"] == ACKNOWLEDGED or message["method"].endswith(("/list_changed", "/updated"))
        if line["by"] == "server" and is_change and talk.revision is None:
            return "belongs to no subscription"
        return None

    def judge(self, version: str, by: str, message: dict, *parts: tuple[str, object]) -> None:
        wrong = [revision(version).mistake(name, value) for name, value in parts]
        if told := [text for text in wrong if text]:
            self.wrong(by, message, f"{version}: {'; '.join(told)}")
        else:
            self.valid[version] += 1


# Of this run, over all tests.
TOTAL: Counter[str] = Counter()
WITHOUT: list[str] = []


def counted() -> tuple[dict[str, int], list[str]]:
    """What this process counted, to be added up by another."""
    return dict(TOTAL), WITHOUT[:1]


def add(total: dict[str, int], without: list[str]) -> None:
    TOTAL.update(total)
    WITHOUT.extend(without)


def summary() -> list[str]:
    """The line that CI looks for, with how many messages there were of each revision."""
    if not TOTAL:
        return [f"skipped: {reason}" for reason in WITHOUT[:1]]
    each = ", ".join(f"{name}: {count}" for name, count in sorted(TOTAL.items()))
    return [f"mcp schema: {TOTAL.total()} messages valid, {len(TOTAL)} revisions ({each})"]
