"""`make test-deploy`: the image and both compose files on a real container engine.

The last lines are facts, one a line, which begin with `deploy: `. Where no engine can be had it says
`skipped: test-deploy, because …` and is content. DEPLOY_WORK=FOLDER keeps the engine's images for the next run.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import websockets

import bases
import direct_api
import engine as engines
from clients import Clients
from engine import Engine, Failed, Unavailable

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
IMAGE = NAME = "omni-deploy-test"
LITELLM = "litellm-deploy-test"
TOKEN = "token-of-the-deployment-test"
URL = "ws://127.0.0.1:18765"
MEGABYTE = 1_000_000
TASKS = 2000
GRACE = 15

FACTS: list[str] = []


def fact(text: str) -> None:
    FACTS.append(f"deploy: {text}")


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


@contextmanager
def step(name: str) -> Iterator[None]:
    begin = time.monotonic()
    print(f"== {name}", flush=True)
    yield
    print(f"   {time.monotonic() - begin:.1f} s", flush=True)


class Stack:
    """A compose file with what the tests change in it."""

    def __init__(self, engine: Engine, project: str, *files: Path, **variables: str) -> None:
        self.engine = engine
        self.variables = variables
        # No .env of whoever runs the tests.
        self.flags = ["compose", "-p", project, "--project-directory", str(TOP), "--env-file", "/dev/null"]
        self.flags += [flag for file in files for flag in ("-f", str(file))]

    def must(self, *arguments: str, within: float = 120) -> str:
        return self.engine.must(*self.flags, *arguments, within=within, **self.variables)

    def run(self, *arguments: str, within: float = 120, **variables: str) -> subprocess.CompletedProcess:
        return self.engine.run(*self.flags, *arguments, within=within, **self.variables | variables)


def deployment(engine: Engine, config: Path) -> Stack:
    return Stack(engine, NAME, TOP / "docker-compose.yml", HERE / "host.yml", DEPLOY_CONFIG=str(config), OMNI_TOKEN=TOKEN,
                 GITHUB_LITELLM_KEY="sk-backup", LITELLM_API_KEY="sk-test", DIRECT_API_URL="http://127.0.0.1:4001",
                 BRAINSTEM_URL="http://127.0.0.1:4002")


def examine_image(engine: Engine) -> None:
    image = engine.inspect(IMAGE, "image")
    size = image["Size"] / MEGABYTE
    check(size < 150, f"the image has {size:.0f} MB")
    settings = image["Config"]
    user = settings["User"].partition(":")[0]
    check(user.isdigit() and int(user) > 0, f"the image runs as {user}")
    check(settings["Healthcheck"]["Test"] == ["CMD", "omni-server", "healthcheck"], "the health check is another one")
    run = ["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", IMAGE]
    for program in ["omni-server", "mock-litellm", "omni-conformance"]:
        said = engine.must(*run, program, "--version")
        check(said.startswith(f"{program} "), f"{program} --version says {said}")
    version = engine.must(*run, "omni-server", "--version").split()[-1]
    label = settings["Labels"]["org.opencontainers.image.version"]
    check(label == version, f"the label says version {label}, the server {version}")
    written = engine.run(*run, "touch", "/app/x", "/tmp/x")
    check(written.returncode != 0 and written.stderr.count("Read-only file system") == 2, f"read-only: {written.stderr}")
    # As an engine mounts a config.yaml that is not there: a folder.
    folder = engine.run(*run[:-1], "--tmpfs", "/app/config.yaml", IMAGE)
    check(folder.returncode == 2 and "config.yaml is a folder" in folder.stderr, f"a folder as file: {folder.stderr}")
    raising = engine.run(*run, "find", "/", "-xdev", "-type", "f", "-perm", "/6000").stdout
    check(not raising, f"programs that give rights: {raising}")
    fact(f"image {size:.0f} MB, user {user}, read-only root")


def bring_up(engine: Engine, stack: Stack, missing: Path) -> None:
    lost = stack.run("up", "--detach", "--wait", "omni-orchestrator", DEPLOY_CONFIG=str(missing))
    check(lost.returncode != 0 and "does not exist" in lost.stderr, f"without config.yaml: {lost.stderr[-500:]}")
    check(not missing.exists(), "a folder was made where config.yaml is missing")
    # LiteLLM is somebody else's: the server is healthy before it is there.
    stack.must("up", "--detach", "--wait", "omni-orchestrator")
    stack.must("up", "--detach", "--wait")
    container = engine.inspect(NAME)
    host = container["HostConfig"]
    check(container["State"]["Health"]["Status"] == "healthy", "the server is not healthy")
    check(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] > 0 and host["PidsLimit"] > 0
          and "no-new-privileges:true" in host["SecurityOpt"], f"confinement: {host}")
    inside = engine.must("exec", NAME, "sh", "-c", "id -u; stat -c '%U %a' /app/data; touch /app/x 2>&1 || true")
    check(inside.split()[:3] == ["10001", "omni", "700"] and "Read-only file system" in inside, f"inside: {inside}")
    fact("compose up, healthy without LiteLLM and with it")


def survive_kills(engine: Engine, stack: Stack) -> list[str]:
    """The container is killed while tasks are made, started, and made anew on the same volume."""
    clients = Clients(URL, TOKEN)
    ids = clients.create_until(TASKS, lambda: engine.must("kill", "--signal", "KILL", NAME))
    check(engine.inspect(NAME)["State"]["ExitCode"] == 137, "the container was not killed")
    engine.must("start", NAME)
    stack.must("up", "--detach", "--wait")
    gone = clients.missing(ids)
    check(not gone, f"{len(gone)} of {len(ids)} answered tasks are gone after the kill: {gone[:5]}")
    fact(f"{len(ids)} tasks found again after kill")

    if not os.geteuid() and sys.platform == "linux":
        # Killed from outside, as by the kernel for want of memory: the engine starts it again by itself.
        ids += clients.create_until(TASKS, lambda: os.kill(engine.inspect(NAME)["State"]["Pid"], 9))
        deadline = time.monotonic() + 60
        while engine.inspect(NAME)["State"].get("Health", {}).get("Status") != "healthy":
            check(time.monotonic() < deadline, "the engine does not start the container again")
            time.sleep(0.1)
        check(engine.inspect(NAME)["RestartCount"] == 1, "the engine has not started the container again")
        gone = clients.missing(ids)
        check(not gone, f"{len(gone)} of {len(ids)} answered tasks are gone after the crash")
        fact(f"{len(ids)} tasks found again after a crash and a start by the engine")

    stack.must("down")
    stack.must("up", "--detach", "--wait")
    gone = clients.missing(ids)
    check(not gone, f"{len(gone)} of {len(ids)} tasks are gone in a new container")
    fact(f"{len(ids)} tasks found again in a new container")
    return ids


def visit(engine: Engine) -> None:
    """The checklist of the deployment, walked from outside."""
    folder = os.environ.get("OMNI_BIN")
    doctor = [f"{folder}/omni-conformance", "doctor"]
    check(bool(folder) and os.access(doctor[0], os.X_OK), "OMNI_BIN has to name the folder with omni-conformance")
    known = subprocess.run([*doctor, "--help"], capture_output=True, text=True).stdout
    # It was without LiteLLM at first, and finds it now.
    Clients(URL, TOKEN).wait_until_normal()
    container = ["--container", NAME] if "--container" in known else []
    ended = subprocess.run(
        [*doctor, URL, "--litellm", "http://127.0.0.1:4000", "--restart", f"{engine.program} restart {NAME}",
         "--token-env", "DEPLOY_TOKEN", *container],
        env=engine.variables | {"DEPLOY_TOKEN": TOKEN, "PATH": f"{Path(engine.program).parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=180)
    print(ended.stdout, end="")
    check(ended.returncode == 0, f"doctor: exit code {ended.returncode}: {ended.stderr}")
    fact(f"doctor {ended.stdout.splitlines()[-1]}")


def stop_gracefully(engine: Engine) -> None:
    clients = Clients(URL, TOKEN)
    begin = [0.0]

    def stop() -> None:
        begin[0] = time.monotonic()
        engine.must("stop", "--time", str(GRACE), NAME)

    ids = clients.create_until(200, stop)
    took = time.monotonic() - begin[0]
    state = engine.inspect(NAME)["State"]
    check(state["ExitCode"] == 0 and took < GRACE, f"stop: exit code {state['ExitCode']} after {took:.1f} s")
    engine.must("start", NAME)
    deadline = time.monotonic() + 60
    while engine.inspect(NAME)["State"]["Health"]["Status"] != "healthy":
        check(time.monotonic() < deadline, "the server is not healthy again")
        time.sleep(0.1)
    check(not clients.missing(ids), "answered tasks are gone after a stop")
    fact(f"stopped under load with exit code 0 in {took:.1f} s")


def judge(engine: Engine, project: str, name: str, **variables: str) -> str:
    """Brings up docker-compose.test.yml; gives how many cases held."""
    stack = Stack(engine, project, TOP / "docker-compose.test.yml", HERE / "host.test.yml", **variables)
    try:
        ended = stack.run("up", "--build", "--no-color", "--exit-code-from", "conformance", within=600)
    finally:
        stack.run("down", "--volumes")
    lines = [line.partition("| ")[2] for line in ended.stdout.splitlines() if line.startswith("conformance")]
    print("\n".join(lines[-12:]))
    verdict = re.search(r"^(\d+) passed, 0 failed, 0 set-up errors", "\n".join(lines), re.M)
    check(ended.returncode == 0 and verdict is not None,
          f"{name}: exit code {ended.returncode}\n" + "\n".join(lines[-80:]) + ended.stderr[-4000:])
    return verdict[1] if verdict else ""


def call_over_tls(engine: Engine, work: Path) -> None:
    """The direct API is called over TLS where its certificate is known, and not called where it is not."""
    certificate, known = work / "direct.pem", work / "known.pem"
    pem = engine.must("run", "--rm", "--network", "none", IMAGE, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                      "-keyout", "/dev/stdout", "-out", "/dev/stdout", "-days", "3", "-subj", "/CN=localhost",
                      "-addext", "subjectAltName=DNS:localhost")
    certificate.write_text(pem + "\n")
    known.write_text(pem[pem.index("-----BEGIN CERTIFICATE"):] + "\n")
    roots = ["-v", f"{known}:/etc/ssl/certs/ca-certificates.crt:ro"]
    with direct_api.listening(certificate) as url:
        for trusted, expected in [(roots, direct_api.TEXT), ([], "Cloud unavailable, task suspended")]:
            # No LiteLLM, so tasks go to the direct API.
            engine.must(
                "run", "--detach", "--name", f"{NAME}-tls", "--network", "host", "--read-only", "--cap-drop", "ALL", *trusted,
                "-e", "OMNI_HOST=127.0.0.1", "-e", f"OMNI_TOKEN={TOKEN}", "-e", "GITHUB_LITELLM_KEY=sk-backup",
                "-e", "LITELLM_URL=http://127.0.0.1:4000", "-e", f"DIRECT_API_URL={url}",
                "-e", "BRAINSTEM_URL=http://127.0.0.1:4002", IMAGE)
            try:
                engine.must("exec", f"{NAME}-tls", "omni-server", "healthcheck", "--wait", "30s")
                answer = Clients(URL, TOKEN).answer("create_task", description="say it")
                check(expected in answer.values(), f"over TLS: {answer}")
            finally:
                engine.run("rm", "--force", "--volumes", f"{NAME}-tls")
    fact("the direct API is called over TLS, and only where its certificate is known")


def other_image(engine: Engine, work: Path) -> str:
    context = work / "other"
    shutil.rmtree(context, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TOP / "Tests/Interop/other_orchestrator", context / "other_orchestrator", ignore=unwanted)
    shutil.copytree(Path(websockets.__file__).parent, context / "websockets", ignore=unwanted)
    engine.must("build", "--network", "host", "-t", f"{NAME}-other", "-f", str(HERE / "other.Dockerfile"), str(context),
                within=600)
    return f"{NAME}-other"


def whole_suite(engine: Engine) -> None:
    """Everything, with servers that the runner starts and kills, in one container that may write to /tmp only."""
    said = engine.must("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--tmpfs", "/tmp:exec",
                       IMAGE, "omni-conformance", "demo", within=600)
    verdict = re.search(r"^conformant: (\d+) of \1 cases of profile reference hold$", said, re.M)
    check(verdict is not None, said[-4000:])
    fact(f"conformance {verdict[1] if verdict else ''} cases hold inside the container")


def everything(engine: Engine, work: Path) -> None:
    config = work / "config.yaml"
    shutil.copy(TOP / "config.yaml.example", config)
    stack = deployment(engine, config)
    try:
        with step("image"):
            stack.must("build", within=1800)
            examine_image(engine)
        with step("deployment"):
            bring_up(engine, stack, work / "missing.yaml")
        with step("kills"):
            survive_kills(engine, stack)
        with step("doctor"):
            visit(engine)
        with step("stop"):
            stop_gracefully(engine)
    except BaseException:
        print(stack.run("logs", "--tail", "30").stdout, file=sys.stderr)
        raise
    finally:
        stack.run("down", "--volumes")
    with step("conformance"):
        held = judge(engine, f"{NAME}-judge", "the server")
        fact(f"docker-compose.test.yml: {held} cases hold")
        whole_suite(engine)
    with step("direct API over TLS"):
        call_over_tls(engine, work)
    with step("another make"):
        other = other_image(engine, work)
        held = judge(engine, f"{NAME}-judge", "another make", ORCHESTRATOR_IMAGE=other, CONFORMANCE_FLAGS="--level must")
        fact(f"docker-compose.test.yml: {held} cases hold for ORCHESTRATOR_IMAGE={other}")


def main() -> int:
    kept = os.environ.get("DEPLOY_WORK")
    work = Path(kept or tempfile.mkdtemp(prefix="omni-deploy-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        with step("engine"):
            engine = engines.find(work)
        with step("bases"):
            made = bases.provide(engine, work)
            print("   " + (f"made here: {', '.join(made)}" if made else "as the registry has them"))
        everything(engine, work)
    except Unavailable as reason:
        print(f"skipped: test-deploy, because {reason}")
        return 0
    except Failed as failure:
        print(f"test-deploy: {failure}", file=sys.stderr)
        return 1
    finally:
        engines.stop()
        if not kept:
            shutil.rmtree(work, ignore_errors=True)
    print("\n".join(FACTS))
    return 0


if __name__ == "__main__":
    # An end from outside ends the engine too.
    sys.exit(main())
