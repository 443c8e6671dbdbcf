"""The reports of a run, read by programs that are not ours."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest
import yaml

from conftest import ROOT
from reporting import FAILING, FORMATS, Runs, run

# What Jenkins' xUnit plugin and Surefire know: an element, its attributes, and what may stand in it.
# Attributes with a star have to be there.
JUNIT = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": (
        {"name*", "tests*", "failures*", "errors*", "skipped*", "time*", "timestamp"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name*", "value*"}, set()),
    "testcase": ({"name*", "classname*", "time*"}, {"failure", "error", "skipped", "system-err"}),
    "failure": ({"type*", "message*"}, set()),
    "error": ({"type*", "message*"}, set()),
    "skipped": ({"message*"}, set()),
    "system-err": (set(), set()),
}


def check_junit(element: ElementTree.Element) -> None:
    assert element.tag in JUNIT, element.tag
    attributes, children = JUNIT[element.tag]
    assert set(element.attrib) <= {name.rstrip("*") for name in attributes}, element.attrib
    assert {name[:-1] for name in attributes if name.endswith("*")} <= set(element.attrib), element.attrib
    for child in element:
        assert child.tag in children, f"{child.tag} in {element.tag}"
        check_junit(child)


@pytest.mark.parametrize("name", ["good", "bad", "traced", "unreachable"])
def test_results_are_as_the_schema_says(runs: Runs, name: str):
    schema = json.loads((ROOT / "Spec" / "schema" / "results.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(runs.document(name))]
    assert errors == []


def test_what_failed_is_what_was_made_wrong(runs: Runs):
    failed = {case["id"] for case in runs.document("bad")["cases"] if case["verdict"] == "fail"}
    assert failed == FAILING
    assert all(case["verdict"] != "fail" for case in runs.document("good")["cases"])


def test_traces_of_all_cases_are_kept_when_asked_for(runs: Runs):
    for case in runs.document("traced")["cases"]:
        if case["verdict"] == "pass":
            assert case["trace"]["steps"] and case["trace"]["wire"], case["id"]
    assert not any("trace" in case for case in runs.document("good")["cases"] if case["verdict"] == "pass")


def test_junit(runs: Runs):
    root = ElementTree.fromstring(runs.report("junit"))
    check_junit(root)
    assert root.tag == "testsuites"
    assert int(root.get("failures")) == len(FAILING)
    assert int(root.get("tests")) == len(runs.document("bad")["cases"])
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
        assert {entry.get("name") for entry in suite.iter("property")} >= {"seed", "target", "revision"}
    failed = {f"{case.get('classname')}/{case.get('name')}" for case in root.iter("testcase") if case.find("failure") is not None}
    assert failed == FAILING
    texts = [failure.text for failure in root.iter("failure")]
    assert any("\n+ error/code: 1099\n" in text for text in texts)
    assert any("</script>" in text for text in texts)


def test_tap(runs: Runs):
    lines = runs.report("tap").splitlines()
    count = len(runs.document("bad")["cases"])
    assert lines[:2] == ["TAP version 14", f"1..{count}"]
    points = [re.fullmatch(r"(not )?ok (\d+) - (\S+)( # (SKIP|TODO) .*)?", line) for line in lines]
    points = [point for point in points if point]
    assert [int(point[2]) for point in points] == list(range(1, count + 1))
    assert {point[3] for point in points if point[1] and not point[4]} == FAILING
    blocks = re.findall(r"^  ---\n(.*?)^  \.\.\.$", runs.report("tap"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(FAILING)
    for block in map(yaml.safe_load, blocks):
        assert block["severity"] == "fail" and block["at"]["line"] > 0 and block["message"]
    others = [line for line in lines[2:] if not line.startswith("  ")]
    assert len(others) == count


def test_annotations_stand_on_the_line_that_failed(runs: Runs):
    lines = [line for line in runs.printed.splitlines() if line.startswith("::")]
    assert len(lines) == len(FAILING)
    for line in lines:
        found = re.fullmatch(r"::error file=(Fixtures/server/\w+\.yaml),line=(\d+),title=([^:,]+)::.+", line)
        assert found, line
        assert found[3] in FAILING
        text = (ROOT / found[1]).read_text().splitlines()[int(found[2]) - 1]
        assert "server" in text or "id:" in text, text


def test_badge(runs: Runs):
    root = ElementTree.fromstring(runs.report("badge"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert re.fullmatch(r"omni 1\.0: MUST \d+/\d+", root.get("aria-label"))


def test_markdown(runs: Runs):
    text = runs.report("markdown")
    assert text.startswith("## `ws://127.0.0.1:")
    assert "4 of " in text.splitlines()[0]
    assert "<script" not in text and "<img" not in text
    assert all(f"`{name}`" in text for name in FAILING)


@pytest.mark.parametrize("name", FORMATS)
def test_a_kept_run_is_told_again_word_for_word(runs: Runs, tmp_path: Path, name: str):
    output = tmp_path / "report"
    code, text = run(
        "report", "--from", str(runs.folder / "bad.json"), "--format", name, "--output", str(output),
        "--compare", str(runs.folder / "good.json"), "--coverage", str(runs.folder / "coverage.json"))
    assert code == 0, text
    assert output.read_text() == runs.report(name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "pdf"], 'there is no format "pdf"'),
        (["--from", "/nowhere"], "--from /nowhere cannot be read"),
        (["--compare", __file__], "is no JSON"),
        (["--source-url", "javascript:alert(1)"], "needs an http address"),
        (["--output", "/nowhere/report.html"], "cannot be written"),
    ],
    ids=["format", "from", "compare", "address", "output"],
)
def test_what_cannot_be_reported_is_2(runs: Runs, arguments: list[str], words: str):
    given = [] if "--from" in arguments else ["--from", str(runs.folder / "bad.json")]
    code, text = run("report", *given, *arguments)
    assert code == 2 and words in text, text


def test_a_report_that_cannot_be_written_is_noticed_before_the_run(runs: Runs):
    code, text = run("run", "--target", "ws://127.0.0.1:1", "--report", "html=/nowhere/report.html")
    assert code == 2 and "--report html=/nowhere/report.html cannot be written" in text, text
    code, text = run("run", "--target", "ws://127.0.0.1:1", "--report", "html")
    assert code == 2 and "--report needs a format and a file" in text, text
