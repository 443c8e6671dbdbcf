"""Tasks on their way: routing, tries, and the three states of the system."""

import asyncio
import json
import random
import re
import time

import store
import upstream

SIMPLE = ["list", "show", "what", "when", "how many"]
COMPLEX = ["implement", "design", "architecture", "distributed", "algorithm", "optimize"]
LIGHT, HEAVY = "claude-3-5-haiku", "claude-3-5-sonnet"
CLOUD_LOST = "Cloud unavailable, task suspended"
GATEWAY_LOST = "LiteLLM unavailable, task suspended"


def complexity(description, history):
    def found(words):
        return sum(bool(re.search(rf"\b{word}\b", description, re.IGNORECASE)) for word in words)

    length, before = len(description), len(history)
    value = 50 + (30 if length > 100 else 15 if length > 50 else 0)
    value += 30 if before > 5 else 15 if before > 2 else 0
    return max(0, min(100, value - 20 * found(SIMPLE) + 25 * found(COMPLEX)))


class Suspended(Exception):
    def __init__(self, message, wake_at=None):
        super().__init__(message)
        self.message, self.wake_at = message, wake_at


class Health:
    """What is known of one upstream."""

    def __init__(self):
        self.failures, self.good, self.checked_at = 0, 0, None

    def view(self):
        view = {"healthy": self.failures == 0, "consecutive_failures": self.failures}
        if self.checked_at:
            view["checked_at"] = self.checked_at
        return view


class Engine:
    def __init__(self, tasks, settings):
        self.store, self.settings = tasks, settings

        def caller(name, url):
            return upstream.Caller(
                name, url, settings.connect, settings.first_byte, settings.idle, settings.total)

        self.gateway = caller("litellm", settings.litellm)
        self.direct = caller("direct", settings.direct)
        self.local = caller("local", settings.local)
        self.litellm, self.cloud = Health(), Health()
        self.state = tasks.fact("state") or tasks.fact("state", "normal")
        self.since = tasks.fact("since") or tasks.fact("since", store.now())
        self.running, self.waiters = {}, {}
        self.places = asyncio.Semaphore(settings.max_running)
        self.cooldown_counted = float("-inf")
        self.watch = None

    def start(self):
        self.watch = asyncio.create_task(self.probe_forever())
        self.resume("idle")
        for row in self.store.in_state("waiting"):
            if row["wake_at"]:
                self.wake_later(row["task_id"], row["wake_at"])

    def resume(self, *states):
        for row in self.store.in_state(*states):
            self.store.change(row["task_id"], state="idle", wake_at=None)
            self.launch(row["task_id"])

    # Tasks

    def add(self, description, kind, history, key):
        value = complexity(description, history)
        model = HEAVY if value >= self.settings.threshold else LIGHT
        task_id = self.store.add(description, kind, history, key, "litellm", model, value)
        self.launch(task_id)
        return task_id

    def launch(self, task_id):
        running = asyncio.create_task(self.run_in_turn(task_id))
        self.running[task_id] = running
        running.add_done_callback(
            lambda done: self.running.get(task_id) is done and self.running.pop(task_id))

    async def run_in_turn(self, task_id):
        async with self.places:
            await self.run(task_id)

    def wait(self, task_id):
        """A future that gives how the task ended, or why it waits."""
        future = asyncio.get_running_loop().create_future()
        self.waiters.setdefault(task_id, []).append(future)
        return future

    def tell(self, task_id, message=None):
        for future in self.waiters.pop(task_id, []):
            if not future.done():
                future.set_result(message)

    def cancel(self, task_id):
        self.store.change(task_id, state="cancelled")
        if running := self.running.pop(task_id, None):
            running.cancel()
        self.tell(task_id)

    def suspend(self, task_id, message, wake_at=None):
        row = self.store.row(task_id)
        if row["state"] in store.OPEN:
            attempts = row["attempts"] - (row["state"] in ("dispatching", "executing"))
            self.store.change(task_id, state="waiting", wake_at=wake_at, attempts=attempts)
            if wake_at:
                self.wake_later(task_id, wake_at)
        self.tell(task_id, message)

    def wake_later(self, task_id, wake_at):
        asyncio.get_running_loop().call_later(max(0, wake_at - time.time()), self.wake, task_id)

    def wake(self, task_id):
        row = self.store.row(task_id)
        if row["state"] == "waiting" and row["wake_at"] and self.state != "brainstem":
            self.store.change(task_id, state="idle", wake_at=None)
            self.launch(task_id)

    def end(self, task_id, **fields):
        self.store.change(task_id, **fields)
        self.tell(task_id)

    async def run(self, task_id):
        row = self.store.row(task_id)
        if self.state == "brainstem":
            return self.suspend(task_id, CLOUD_LOST)
        if row["attempts"] >= 5:
            return self.fail(task_id, upstream.Failure("attempts_exhausted", "5 attempts", "litellm"), 0)
        self.store.change(task_id, state="dispatching", attempts=row["attempts"] + 1)
        messages = json.loads(row["history"]) + [{"role": "user", "content": row["description"]}]
        try:
            text, cut = await self.answer(task_id, row["model"], messages)
            self.end(task_id, state="completed", result=text, truncated=int(cut))
        except Suspended as suspended:
            self.suspend(task_id, suspended.message, suspended.wake_at)
        except upstream.Failure as failure:
            self.fail(task_id, failure, failure.tried)

    def fail(self, task_id, failure, tried):
        about = {"class": failure.kind, "upstream": failure.upstream, "tried": tried}
        if failure.status:
            about["status"] = failure.status
        detail = failure.detail
        for key in filter(None, (self.settings.litellm_key, self.settings.backup_key)):
            detail = detail.replace(key, "[key]")
        self.end(task_id, state="failed", error=f"{failure.kind}: {detail}",
                 error_info=json.dumps(about))

    async def answer(self, task_id, model, messages):
        while True:
            if self.state == "brainstem":
                raise Suspended(CLOUD_LOST)
            if self.state == "normal":
                self.store.change(task_id, state="executing", executor="litellm")
                result = await self.tries(
                    "normal", self.litellm, self.gateway_failed,
                    lambda: upstream.complete(self.gateway, self.settings.litellm_key, model, messages))
            elif not self.settings.backup_key:
                raise Suspended(GATEWAY_LOST)
            else:
                self.store.change(task_id, state="executing", executor="direct")
                result = await self.tries(
                    "degraded", self.cloud, self.cloud_failed,
                    lambda: upstream.message(
                        self.direct, self.settings.backup_key, self.settings.direct_model, messages))
            if result:
                return result

    async def tries(self, state, health, failed, attempt):
        """The answer, or None when the system has left the state that these tries belong to."""
        tried = 0
        while True:
            tried += 1
            try:
                result = await attempt()
                health.failures, health.checked_at = 0, store.now()
                return result
            except upstream.Failure as failure:
                failure.tried = tried
                health.checked_at = store.now()
                failed(failure)
                if self.state != state:
                    return None
                wait = failure.retry_after or 0
                if wait > 10:
                    raise Suspended(
                        f"Rate limited, retry after {int(wait)}s", time.time() + wait) from failure
                if tried >= failure.tries:
                    raise
                await asyncio.sleep(wait + random.uniform(0, min(2, 0.1 * 2 ** tried)))

    # The system

    def gateway_failed(self, failure):
        if failure.kind == "gateway_cooldown":
            if time.monotonic() - self.cooldown_counted < 5:
                return
            self.cooldown_counted = time.monotonic()
        elif not failure.counts:
            return
        self.litellm.failures += 1
        self.litellm.good = 0
        if self.state == "normal" and self.litellm.failures >= 2:
            self.enter("degraded")

    def cloud_failed(self, failure):
        if not failure.counts or self.state != "degraded":
            return
        self.cloud.failures += 1
        self.cloud.good = 0
        if self.cloud.failures >= 3:
            self.enter("brainstem")

    def enter(self, state):
        before, self.state, self.since = self.state, state, store.now()
        self.store.fact("state", state)
        self.store.fact("since", self.since)
        self.store.tell("system", {"system_state": state, "since": self.since, "from": before})
        self.litellm.good = self.cloud.good = 0
        if state == "brainstem":
            mine = asyncio.current_task()
            for task_id, running in list(self.running.items()):
                if running is not mine:
                    self.running.pop(task_id)
                    running.cancel()
                    self.suspend(task_id, CLOUD_LOST)
            asyncio.create_task(self.wake_local())
        elif state == "normal":
            self.litellm.failures = self.cloud.failures = 0
            self.resume("waiting")
        else:
            self.cloud.failures = 0
            if self.settings.backup_key:
                self.resume_waiting_for_cloud()

    def resume_waiting_for_cloud(self):
        for row in self.store.in_state("waiting"):
            if not row["wake_at"]:
                self.store.change(row["task_id"], state="idle")
                self.launch(row["task_id"])

    async def wake_local(self):
        try:
            await upstream.complete(
                self.local, None, "qwen:7b-instruct", [{"role": "user", "content": "self-check"}], 16)
        except upstream.Failure:
            pass

    async def probe_forever(self):
        while True:
            if self.state == "normal":
                await asyncio.sleep(self.settings.interval)
            try:
                await self.probe()
            except upstream.Failure:
                pass
            if self.state != "normal":
                await asyncio.sleep(self.settings.interval)

    async def probe(self):
        if self.state == "normal":
            await self.probe_gateway(lambda: self.cheap("/health/readiness"))
        elif self.state == "degraded":
            await self.probe_gateway(lambda: upstream.complete(
                self.gateway, self.settings.litellm_key, LIGHT,
                [{"role": "user", "content": "ping"}], 1))
            if self.state == "degraded" and self.litellm.good >= 2:
                self.enter("normal")
        else:
            cloud, gateway = await asyncio.gather(
                self.direct.call("GET", "/", total=self.settings.cloud_check), self.cheap("/health/readiness"),
                return_exceptions=True)
            self.cloud.good = 0 if isinstance(cloud, Exception) or cloud[0] >= 500 else self.cloud.good + 1
            self.litellm.good = 0 if isinstance(gateway, Exception) else self.litellm.good + 1
            self.cloud.checked_at = self.litellm.checked_at = store.now()
            if self.state == "brainstem" and self.cloud.good >= 2:
                self.enter("normal" if self.litellm.good >= 2 else "degraded")

    async def probe_gateway(self, attempt):
        try:
            await attempt()
            self.litellm.good += 1
        except upstream.Failure as failure:
            self.litellm.good = 0
            self.gateway_failed(failure)
        self.litellm.checked_at = store.now()

    async def cheap(self, path):
        status, headers, body = await self.gateway.call("GET", path, total=1)
        if status != 200:
            raise upstream.refused("litellm", status, headers, body)

    def status(self):
        return {"system_state": self.state, "since": self.since, "litellm": self.litellm.view(),
                "cloud": self.cloud.view(), "tasks": self.store.counts()}
