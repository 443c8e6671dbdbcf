"""The runner judges servers that are not ours over Streamable HTTP and stdio: those of the official SDK hold
what they should, and one with a defect is caught."""

import re
import shlex
import socket
import sys
from pathlib import Path

import pytest

from conftest import HERE, ROOT, Child, free_port, until
from test_runner import count, results, run

# The second SDK needs other versions of what the first needs: a Python of its own (`make venv-mcp2`).
SECOND = ROOT / ".venv-mcp2" / "bin" / "python"
SDK = HERE / "sdk_server.py"
BROKEN = HERE / "broken_mcp_server.py"

LEGACY = """\
format: 1
suite: sdk
dialect: mcp-2025-11-25
client: {capabilities: {sampling: {}}}
defaults: {within: 15s, level: must, play: client}
cases:
- id: tools
  title: Tools are listed and called.
  covers: [req:mcp.tools-list]
  needs: [mcp.tools]
  steps:
  - client: {id: 1, method: tools/list}
  - server: {id: 1, result: {tools: {$contains: {name: add, inputSchema: {type: object}}}}}
  - client: {id: two, method: tools/call, params: {name: add, arguments: {a: 1, b: 2}}}
  - server: {id: two, result: {content: [{type: text, text: "3"}], isError: false}}

- id: unknown-method
  title: A method that does not exist is an error.
  covers: [req:errors.unknown_method]
  needs: [mcp.tools]
  steps:
  - client: {id: 1, method: omni/nothing}
  - server: {id: 1, error: {code: {$oneOf: [-32601, -32602]}}}

- id: progress
  title: Progress comes before the answer.
  covers: [req:mcp.tools-call]
  needs: [mcp.prompts]
  steps:
  - client: {id: 1, method: tools/call, params: {name: steps, arguments: {}, _meta: {progressToken: p}}}
  - server: {method: notifications/progress, params: {progressToken: p, progress: 1, total: 2}}
  - server: {method: notifications/progress, params: {progressToken: p, progress: 2, total: 2}}
  - server: {id: 1, result: {content: [{text: done}]}}

- id: own-beginning
  title: A case can begin by itself.
  covers: [req:mcp.unknown-revision]
  begin: none
  steps:
  - client:
      id: 0
      method: initialize
      params: {protocolVersion: "1999-12-31", capabilities: {}, clientInfo: {name: x, version: "1"}}
  - server: {id: 0, result: {protocolVersion: "2025-11-25"}}
  - client: {method: notifications/initialized}
  - client: {id: 1, method: ping}
  - server: {id: 1, result: {$exactly: {}}}

- id: two-connections
  title: Connections are apart.
  covers: [req:mcp.ids]
  steps:
  - client: {id: 1, method: ping}
  - client: {id: 1, method: ping}
    conn: b
  - server: {id: 1, result: {}}
    conn: b
  - server: {id: 1, result: {}}

- id: end
  title: A connection ends in order.
  covers: [req:mcp.ping]
  transports: [http, stdio]
  steps:
  - client: {id: 1, method: ping}
  - server: {id: 1, result: {}}
  - close: {}
  - closed: {by: server, code: none}

- id: tasks
  title: Nobody here has tasks.
  covers: [req:mcp.ping]
  needs: [mcp.tasks]
  steps:
  - client: {id: 1, method: tasks/list}
  - server: {id: 1, result: {tasks: []}}

- id: ours
  title: Nobody here has our tools.
  covers: [req:mcp.tools-call]
  needs: [omni.tools]
  steps:
  - client: {id: 1, method: tools/call, params: {name: list_tasks, arguments: {}}}
  - server: {id: 1, result: {isError: false}}
"""

# What only the first SDK does of its own accord.
ASKING = """\
- id: sampling
  title: A server asks the client, and gets its answer.
  covers: [req:mcp.tools-call]
  steps:
  - client: {id: 1, method: tools/call, params: {name: ask, arguments: {}}}
  - server: {id: {$type: id, $as: asked}, method: sampling/createMessage, params: {maxTokens: 5}}
  - client: {id: {$ref: asked}, result: {role: assistant, content: {type: text, text: fine}, model: none}}
  - server: {id: 1, result: {content: [{text: fine}]}}

- id: told
  title: A server tells what changes, whoever asks.
  covers: [req:mcp.tools-call]
  steps:
  - client: {id: 1, method: tools/call, params: {name: change, arguments: {}}}
  - unordered:
    - server: {method: notifications/tools/list_changed}
    - server: {id: 1, result: {content: [{text: changed}]}}
"""

STATELESS = """\
format: 1
suite: stateless
dialect: mcp-2026-07-28
defaults: {within: 15s, level: must, play: client}
cases:
- id: discover
  title: The server says which revisions it speaks.
  covers: [req:mcp.initialize]
  steps:
  - client: {id: 1, method: server/discover}
  - server: {id: 1, result: {resultType: complete, supportedVersions: {$contains: "2026-07-28"}}}

- id: tools
  title: Tools are listed and called, and progress is told.
  covers: [req:mcp.tools-list]
  needs: [mcp.tools]
  steps:
  - client: {id: 1, method: tools/list}
  - server: {id: 1, result: {resultType: complete, tools: {$contains: {name: add}}}}
    status: 200
  - client: {id: 2, method: tools/call, params: {name: steps, arguments: {}, _meta: {progressToken: 7}}}
  - server: {method: notifications/progress, params: {progressToken: 7, progress: 1}}
  - server: {method: notifications/progress, params: {progressToken: 7, progress: 2}}
  - server: {id: 2, result: {resultType: complete, content: [{text: done}]}}

- id: unknown-method
  title: A method that does not exist is 404.
  covers: [req:errors.unknown_method]
  steps:
  - client: {id: 1, method: omni/nothing}
  - server: {id: 1, error: {code: -32601}}
    status: 404

- id: without-meta
  title: A request that does not say its revision is refused.
  covers: [req:errors.unknown_method]
  transports: [http]
  steps:
  - client: {id: 1, method: tools/list, params: {_meta: {$absent: true}}}
  - server: {id: {$oneOf: [1, null, {$absent: true}]}, error: {code: -32602}}
    status: 400

- id: other-header
  title: A header that differs from the message is refused.
  covers: [req:errors.unknown_method]
  transports: [http]
  steps:
  - client: {id: 1, method: tools/list}
    headers: {Mcp-Method: prompts/list}
  - server: {id: {$oneOf: [1, null, {$absent: true}]}, error: {code: -32020}}
    status: 400
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def http(tmp_path: Path):
    """Starts a program on a port of ours and gives the flags that name it."""
    children: list[Child] = []

    def start(*arguments: str) -> list[str]:
        port = free_port()
        folder = tmp_path / f"server-{len(children)}"
        folder.mkdir()
        child = Child([str(port) if part == "PORT" else part for part in arguments], folder)
        children.append(child)
        until(lambda: listens(port), "the server's port")
        return ["--target", f"http://127.0.0.1:{port}/mcp"]

    yield start
    for child in children:
        child.kill()


def stdio(*arguments: str) -> list[str]:
    return ["--exec", shlex.join(arguments)]


def fixtures(tmp_path: Path, *texts: str) -> list[str]:
    folder = tmp_path / "cases"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    return ["--fixtures", str(folder), "--verbose"]


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_the_first_sdk_holds(transport: str, http, tmp_path: Path):
    program = [sys.executable, str(SDK)]
    target = http(*program, "http", "PORT") if transport == "http" else stdio(*program, "stdio")
    code, text = run("run", *target, *fixtures(tmp_path, LEGACY + "\n" + ASKING, STATELESS))
    assert code == 0, text
    assert results(text, "PASS") == {
        f"sdk/{name}" for name in [
            "tools", "unknown-method", "progress", "own-beginning", "two-connections", "end", "sampling", "told"]
    }
    assert {"sdk/tasks", "sdk/ours", "stateless/discover"} <= results(text, "N/A")
    assert "needs mcp.tasks, which the target does not declare" in text
    assert "needs omni.tools, which the target does not declare" in text
    assert "needs MCP 2026-07-28, and the target" in text


@pytest.mark.skipif(not SECOND.exists(), reason="the second SDK is not there: make venv-mcp2")
@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_the_second_sdk_holds(transport: str, http, tmp_path: Path):
    program = [str(SECOND), str(SDK)]
    target = http(*program, "http", "PORT") if transport == "http" else stdio(*program, "stdio")
    code, text = run("run", *target, *fixtures(tmp_path, LEGACY, STATELESS))
    assert code == 0, text
    stateless = {"stateless/discover", "stateless/tools", "stateless/unknown-method"}
    if transport == "http":
        stateless |= {"stateless/without-meta", "stateless/other-header"}
    assert stateless <= results(text, "PASS")
    assert {"sdk/tools", "sdk/progress", "sdk/end"} <= results(text, "PASS")


DEFECTS = [
    ("http", "id-as-text", "sdk/tools"), ("http", "flag", "sdk/tools"), ("http", "code", "sdk/unknown-method"),
    ("http", "status", "sdk/tools"), ("http", "type", "sdk/tools"), ("stdio", "id-as-text", "sdk/tools"),
    ("stdio", "code", "sdk/unknown-method"), ("stdio", "log", "sdk/unknown-method"),
]


@pytest.mark.parametrize(("transport", "defect", "case"), DEFECTS)
def test_a_defect_is_caught(transport: str, defect: str, case: str, http, tmp_path: Path):
    program = [sys.executable, str(BROKEN), transport]
    target = http(*program, "PORT", defect) if transport == "http" else stdio(*program, defect)
    code, text = run("run", *target, *fixtures(tmp_path, LEGACY), "--run", "sdk/tools", "--run", "sdk/unknown-method")
    assert code == 1, text
    assert case in results(text, "FAIL"), text
    assert re.search(r"rerun: omni-conformance run --(target|exec) ", text), text


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_without_a_defect_it_passes(transport: str, http, tmp_path: Path):
    program = [sys.executable, str(BROKEN), transport]
    target = http(*program, "PORT", "none") if transport == "http" else stdio(*program, "none")
    code, text = run("run", *target, *fixtures(tmp_path, LEGACY), "--run", "sdk/tools", "--run", "sdk/unknown-method")
    assert code == 0, text
    assert count(text, "passed") == 2


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_the_cases_notice_what_is_made_wrong(transport: str, tmp_path: Path):
    start = [sys.executable, str(BROKEN), transport] + (["${port}"] if transport == "http" else []) + ["none"]
    target = tmp_path / "target.yaml"
    url = "http://127.0.0.1:${port}/mcp" if transport == "http" else "stdio"
    target.write_text(f"url: {url}\nstart: {{argv: {start!r}, within: 20s}}\n".replace("\\", "\\\\"))
    code, text = run(
        "prove", "--target-file", str(target), *fixtures(tmp_path, LEGACY), "--run", "sdk/own-beginning", "--run",
        "sdk/two-connections", "--run", "sdk/tools", "--mutation", "*id-changed*", "--mutation", "*frame-twice*",
        "--mutation", "*text-cut*", "--threshold", "100")
    assert code == 0, text
    assert re.search(r"notice (\d+) of \1 mutations", text), text
