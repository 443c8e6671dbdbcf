"""The real LiteLLM proxy of PyPI, in a virtual environment of its own, with the mock behind it.

It never reaches beyond this machine: the price list is the one inside, and every other way out ends at a port
where nobody listens.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, clean_environment, free_port, http, until

VENV = ROOT / ".venv-litellm"
PYTHON = VENV / "bin" / "python"
# Boots in 14 s on two idle cores; a slow machine under load takes several times as long.
BOOT = 300.0
KEY = "sk-interop-4711"
CANNED = "a canned answer of LiteLLM"


def need_litellm() -> None:
    if not (VENV / "bin" / "litellm").exists():
        pytest.skip("the real LiteLLM, because PyPI cannot be had here; make interop installs it in .venv-litellm")


def environment(home: Path) -> dict[str, str]:
    names = ("OPENAI_", "ANTHROPIC_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(names)}
    nowhere = "http://127.0.0.1:9"
    return kept | {
        "HOME": str(home), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False",
        "LITELLM_MASTER_KEY": KEY, "DISABLE_ADMIN_UI": "True", "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere,
        "http_proxy": nowhere, "https_proxy": nowhere, "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


class RealLiteLLM:
    """One proxy for all tests, for it takes long to boot; it can be killed and started again on its port."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None
        scripted = [
            {"model_name": name, "litellm_params": {
                "model": f"openai/{name}", "api_base": f"{upstream}/v1", "api_key": "sk-upstream-1", "timeout": 60}}
            for name in ("claude-3-5-haiku", "claude-3-5-sonnet")
        ]
        canned = {"model_name": "canned", "litellm_params": {
            "model": "openai/canned", "api_key": "sk-upstream-1", "mock_response": CANNED}}
        # YAML takes JSON. One attempt for each request, so that a fault of the mock is seen as what it is.
        self.config = folder / "litellm.yaml"
        self.config.write_text(json.dumps({
            "model_list": [*scripted, canned],
            "litellm_settings": {"telemetry": False, "num_retries": 0, "request_timeout": 60},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True},
            "general_settings": {"master_key": KEY},
        }))

    def start(self) -> None:
        """Returns when it says that it is ready."""
        with (self.folder / "litellm.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(VENV / "bin" / "litellm"), "--config", str(self.config), "--host", "127.0.0.1",
                 "--port", str(self.port), "--num_workers", "1", "--telemetry", "False"],
                cwd=self.folder, env=environment(self.folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)

        def is_ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"LiteLLM ended: {(self.folder / 'litellm.log').read_text()[-4000:]}")
            try:
                return http(f"{self.url}/health/readiness")[0] == 200
            except OSError:
                return False

        until(is_ready, "LiteLLM being ready", BOOT)

    def kill(self) -> None:
        """As kill -9 does it, with all it started."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=60)
