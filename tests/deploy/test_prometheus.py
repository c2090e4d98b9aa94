"""deploy/prometheus and deploy/grafana, with a real Prometheus that scrapes a real service."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.proxies.programs import free_port
from tests.service import ADMIN_KEY, Service, running_service
from tests.waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
PROMETHEUS = shutil.which("prometheus")
WITHIN = 60.0  # seconds
METRIC = re.compile(r"\b((?:tracker|process|python)_\w+)\b")
OF_PROMETHEUS = {"up"}

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(PROMETHEUS is None, reason="needs Prometheus: apt-get install prometheus"),
]


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=ALERTS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[str]:
    """Every expression of the rules and of the dashboard, as Grafana would send it for all nodes."""
    yield from (rule["expr"] for rule in rules())
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def watched(data_dir: Path, own_database: str) -> AsyncIterator[Service]:
    """A service with metrics on an address of their own, and couriers who deliver."""
    metrics = f"127.0.0.1:{free_port()}"
    async with running_service(
        data_dir, own_database, unrecorded=True, TRACKER_METRICS_BIND=metrics
    ) as service:
        couriers = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "driver_sim", "run", "--drivers", "2"),
            *("--url", service.url, "--api-key", ADMIN_KEY),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield service
        finally:
            couriers.terminate()
            await couriers.wait()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def prometheus(
    watched: Service, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus with our rules, once it has scraped a few times and seen fixes."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "tracker", "static_configs": [{"targets": [metrics_of(watched)]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    assert PROMETHEUS is not None
    with (folder / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=output,
            stderr=output,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1/", trust_env=False) as http:

            async def is_ready() -> bool:  # it refuses connections at first, then answers 503
                try:
                    return (await http.get(f"http://127.0.0.1:{port}/-/ready")).is_success
                except httpx.TransportError:
                    assert process.returncode is None, (folder / "output").read_text()
                    return False

            async def has_scraped() -> bool:
                return bool(await asked(http, 'rate(tracker_fixes_total{result="stored"}[1m]) > 0'))

            await until(is_ready, WITHIN, every=0.2)
            await until(has_scraped, WITHIN, every=0.2)
            yield http
    finally:
        process.terminate()
        await process.wait()


def metrics_of(service: Service) -> str:
    """The address of the second listener, as the log says it."""
    for line in service.log.read_text().splitlines():
        if url := json.loads(line).get("metrics_url"):
            return str(url).removeprefix("http://")
    raise AssertionError("the service has no second listener")


async def asked(prometheus: httpx.AsyncClient, query: str) -> list[Any]:
    answer = (await prometheus.get("query", params={"query": query})).json()
    assert answer["status"] == "success", (query, answer)
    found: list[Any] = answer["data"]["result"]
    return found


async def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    """promtool checks their syntax and runs their unit tests; each alert has one."""
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts.test.yml")
    tested = (ALERTS.parent / "alerts.test.yml").read_text("utf-8")
    assert {rule["alert"] for rule in rules()} == set(re.findall(r"alertname: (\w+)", tested))


async def test_the_docs_say_what_to_do_at_each_alert() -> None:
    """docs/observability.md has a row for each."""
    text = (DEPLOY.parent / "docs" / "observability.md").read_text("utf-8")
    assert {rule["alert"] for rule in rules()} == set(
        re.findall(r"^\| `(Tracker\w+)` \|", text, re.MULTILINE)
    )


async def test_every_query_is_answered_and_names_only_metrics_that_exist(
    prometheus: httpx.AsyncClient, watched: Service
) -> None:
    """Those of the dashboard and of the rules. A misspelt metric would be an empty panel for ever."""
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"http://{metrics_of(watched)}/metrics")).text
    series = set(re.findall(r"^(\w+)[ {]", text, re.MULTILINE))
    for query in queries():
        await asked(prometheus, query)
        unknown = set(METRIC.findall(query)) - series
        assert not unknown, (query, unknown)


async def test_the_queries_of_a_busy_service_have_values(prometheus: httpx.AsyncClient) -> None:
    """Panels are not only without errors: those of fixes, commits and answers show something."""
    shown = [query for query in queries() if re.search("tracker_(fixes|commit|http|event_loop)", query)]
    filled = [query for query in shown if await asked(prometheus, query)]
    assert len(filled) > len(shown) / 2, filled


async def test_a_healthy_service_raises_no_alert(prometheus: httpx.AsyncClient) -> None:
    """Prometheus has loaded the rules and evaluates them."""
    answer = (await prometheus.get("rules")).json()
    loaded = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
    assert [rule["name"] for rule in loaded] == [rule["alert"] for rule in rules()]
    assert not [rule["name"] for rule in loaded if rule["health"] == "err"]
    assert await asked(prometheus, 'up{job="tracker"} == 1')
    firing = [rule["name"] for rule in loaded if rule["state"] == "firing"]
    assert [name for name in firing if name not in {"TrackerDiskNearlyFull"}] == []  # this machine's disk
