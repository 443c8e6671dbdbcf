"""The formats that people and programs read, held against validators that are not ours."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from openrpc import OpenRPC
from pydantic import ValidationError
from pydantic_asyncapi.v3 import AsyncAPI

from conftest import HERE, ROOT, http, program

SCHEMAS = ROOT / "Spec" / "schema"


def check(*arguments: str | Path) -> subprocess.CompletedProcess:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def passes(*arguments: str | Path) -> None:
    ended = check(*arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def document(form: str) -> dict:
    return json.loads(subprocess.check_output([program("omni-conformance"), "docs", "--format", form], timeout=60))


def test_the_schemas_are_schemas():
    schemas = sorted(SCHEMAS.glob("*.schema.json"))
    assert len(schemas) >= 4
    passes("--check-metaschema", *schemas)


@pytest.mark.parametrize("schema, files", [
    ("transcript", "Fixtures/*/*.yaml"),
    ("specification", "Spec/**/*.yaml"),
    ("target", "Tests/Interop/other_orchestrator/target.yaml"),
])
def test_the_files_of_the_kit_are_valid(schema: str, files: str):
    found = sorted(ROOT.glob(files))
    assert found
    passes("--schemafile", SCHEMAS / f"{schema}.schema.json", *found)


@pytest.mark.parametrize("schema, text", [
    ("transcript", "{format: 1, suite: t, dialect: bare, cases: [{id: a, covers: ['method:ping'], steps: [{clint: 1}]}]}"),
    ("specification", "{format: 1, method: ping, summary: x, params: {}, result: {}, errors: [no_such_error]}"),
    ("target", "{url: 'ws://a', start: {argv: []}}"),
    ("baseline", "{format: 1, cases: [{case: a/b, reason: ' '}]}"),
])
def test_what_is_wrong_is_refused(tmp_path: Path, schema: str, text: str):
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    ended = check("--schemafile", SCHEMAS / f"{schema}.schema.json", file)
    assert ended.returncode == 1, ended.stdout + ended.stderr


def test_openrpc_is_valid_and_what_the_server_gives(serve):
    made = document("openrpc")
    assert [method.name for method in OpenRPC.model_validate(made).methods] == [
        path.stem for path in sorted((ROOT / "Spec" / "methods").glob("*.yaml"))]
    wrong = copy.deepcopy(made)
    del wrong["methods"][0]["result"]["schema"]
    wrong["methods"][0]["errors"][0].pop("code")
    with pytest.raises(ValidationError):
        OpenRPC.model_validate(wrong)
    server = serve()
    status, text = http(f"http://127.0.0.1:{server.port}/openrpc.json")
    assert (status, json.loads(text)) == (200, made)


def test_the_document_needs_the_token(serve):
    server = serve(OMNI_TOKEN="t-1")
    assert http(f"http://127.0.0.1:{server.port}/openrpc.json")[0] == 401


def test_asyncapi_is_valid():
    made = document("asyncapi")
    methods, notifications = [len(list((ROOT / "Spec" / kind).glob("*.yaml"))) for kind in ("methods", "notifications")]
    assert len(AsyncAPI.model_validate(made).operations) == 2 * methods + notifications
    wrong = copy.deepcopy(made)
    wrong["operations"]["ping"]["action"] = "shout"
    with pytest.raises(ValidationError):
        AsyncAPI.model_validate(wrong)
