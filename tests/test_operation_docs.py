"""docs/operation.md against a real server: its commands run, and what it lists is what there is."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from bot.api.metrics import Refusal
from bot.testing import CAT_QUESTION, ask

TEXT = (Path(__file__).parents[1] / "docs" / "operation.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def exported(client: TestClient) -> set[str]:
    text = client.get("/metrics").text
    return {family.name for family in text_string_to_metric_families(text)}


def named(text: str) -> set[str]:
    """Return the metrics that a text names, without the endings that Prometheus adds."""
    return {
        re.sub(r"_(total|bucket|count|sum)$", "", name)
        for name in re.findall(r"\b(?:wenqu|process)_[a-z_]+", text)
    }


def test_every_metric_is_listed_and_every_metric_listed_is_there(client: TestClient) -> None:
    ask(client, CAT_QUESTION)
    ours = {name for name in exported(client) if name.startswith("wenqu_")}
    listed = {name for name in named(TEXT) if name.startswith("wenqu_")}
    assert {re.sub(r"_(total|created)$", "", name) for name in ours} == listed


def test_alerts_are_yaml_and_ask_for_metrics_that_are_there(client: TestClient) -> None:
    (block,) = [body for kind, body in BLOCKS if kind == "yaml"]
    rules = yaml.safe_load(block)["groups"][0]["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 7
    there = {re.sub(r"_(total|created)$", "", name) for name in exported(client)}
    for rule in rules:
        assert named(rule["expr"]) <= there, rule
        for reason in re.findall(r'reason=~?"([a-z_|]+)"', rule["expr"]):
            if "refusals" in rule["expr"]:
                assert {*reason.split("|")} <= {*get_args(Refusal)}


def test_every_reason_to_turn_somebody_away_is_explained() -> None:
    for reason in get_args(Refusal):
        assert f"`{reason}`" in TEXT


@pytest.mark.slow
def test_the_first_command_says_that_the_service_is_ready(site: str) -> None:
    command = next(body for kind, body in BLOCKS if kind == "sh" and "readyz" in body)
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    run = subprocess.run(
        ["sh", "-c", command.replace("http://127.0.0.1:8000", site)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"status":"ready"' in run.stdout
    assert httpx2.get(f"{site}/healthz").status_code == 200
