"""The files in docs/deploy name what is there: no container engine runs where tests do."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.configuration import PREFIX, Configuration
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "docs" / "deploy"
USER = 10001
GRACE_SECONDS = 25  # of `wenqu serve`, tests/test_serve.py
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
FILES = ["Dockerfile", "compose.yaml", "kubernetes.yaml", "wenqu.service", "README.md"]


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)["project"]
    return found


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, lines that go on joined, comments left out."""
    plain = re.sub(r"^#.*\n", "", read("Dockerfile"), flags=re.MULTILINE)
    rows = [row for row in plain.replace("\\\n", " ").splitlines() if row.strip()]
    return [(row.split(maxsplit=1)[0], row.split(maxsplit=1)[1]) for row in rows]


def last(kind: str) -> str:
    return [rest for name, rest in instructions() if name == kind][-1]


def environment() -> dict[str, str]:
    """Return the environment of the image, that of its last stage."""
    return dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))


def service() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(read("compose.yaml"))["services"]["wenqu"]
    return found


def resources() -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in yaml.safe_load_all(read("kubernetes.yaml"))}


def pod() -> dict[str, Any]:
    found: dict[str, Any] = resources()["Deployment"]["spec"]["template"]["spec"]
    return found


def unit() -> dict[str, list[str]]:
    pairs = re.findall(r"^(\w+)=(.*)$", read("wenqu.service"), re.MULTILINE)
    return {key: [value for name, value in pairs if name == key] for key, _ in pairs}


@pytest.mark.parametrize("name", FILES)
def test_every_setting_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"\bWENQU_[A-Z_]+\b", read(name)))
    assert named - SETTINGS == set()


@pytest.mark.parametrize("name", FILES)
def test_no_address_of_a_package_index_is_written_down(name: str) -> None:
    assert not re.search(r"(?i)index-url|pypi|simple/|find-links", read(name))


def test_what_is_copied_into_the_image_exists_and_is_let_through_to_the_builder() -> None:
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    let_through = [
        row[1:] for row in read("Dockerfile.dockerignore").splitlines() if row.startswith("!")
    ]
    assert sorted(copied) == sorted(let_through)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    needed = {"pyproject.toml", "README.md", "LICENSE", "corpus", "index", "bot", "eval"}
    assert set(copied) == needed  # what hatchling reads


def test_the_image_installs_extras_that_exist() -> None:
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", read("Dockerfile"))
    assert set(extras.split(",")) <= set(project()["optional-dependencies"])


def test_the_image_runs_as_a_user_without_rights_and_needs_no_network() -> None:
    assert last("USER") == f"{USER}:{USER}"
    assert f"--uid {USER} " in last("RUN")
    assert environment()["HF_HUB_OFFLINE"] == environment()["ORT_DISABLE_TELEMETRY"] == "1"
    baked = [rest for name, rest in instructions() if name == "RUN" and "wenqu ingest" in rest]
    assert "wenqu doctor" in baked[0]
    assert last("COPY") == f"--from=build {environment()['WENQU_CACHE']} /var/cache/wenqu"


def test_the_image_is_served_by_settings_that_wenqu_takes() -> None:
    ours = {name: value for name, value in environment().items() if name.startswith(PREFIX)}
    found = Configuration.load(ours, folder=DEPLOY)
    assert found.unknown == ()
    assert found.settings.host == "0.0.0.0"
    assert str(found.settings.data) == last("VOLUME") == last("WORKDIR")
    assert (last("ENTRYPOINT"), last("CMD")) == ('["wenqu"]', '["serve"]')


def test_all_ask_the_port_that_the_image_listens_at() -> None:
    port = environment()["WENQU_PORT"]
    (container,) = pod()["containers"]
    (named,) = container["ports"]
    (outer,) = resources()["Service"]["spec"]["ports"]
    assert last("EXPOSE") == port
    assert f"http://127.0.0.1:{port}/healthz" in read("Dockerfile")
    assert service()["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert (named["containerPort"], named["name"]) == (int(port), outer["targetPort"])
    probes = [container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness")]
    assert {*probes, container["readinessProbe"]["httpGet"]["port"]} == {named["name"]}


def test_what_runs_may_write_to_its_data_and_a_temporary_folder_alone() -> None:
    data = environment()["WENQU_DATA"]
    (container,) = pod()["containers"]
    assert service()["read_only"] is True
    assert [volume.split(":")[1] for volume in service()["volumes"]] == [data]
    assert [folder.split(":")[0] for folder in service()["tmpfs"]] == ["/tmp"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [data, "/tmp"]
    assert pod()["securityContext"]["runAsUser"] == pod()["securityContext"]["fsGroup"] == USER
    assert unit()["ProtectSystem"] == ["strict"]
    assert f"/var/lib/{unit()['StateDirectory'][0]}" == unit()["WorkingDirectory"][0] == data


def test_nobody_is_killed_before_running_answers_had_their_time() -> None:
    compose = int(service()["stop_grace_period"].removesuffix("s"))
    kubernetes = pod()["terminationGracePeriodSeconds"]
    systemd = int(unit()["TimeoutStopSec"][0])
    assert min(compose, kubernetes, systemd) >= GRACE_SECONDS + 5


def test_one_pod_at_a_time_has_the_volume() -> None:
    deployment = resources()["Deployment"]["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    assert resources()["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    (claim,) = [one for one in pod()["volumes"] if one["name"] == "data"]
    named = claim["persistentVolumeClaim"]["claimName"]
    assert named == resources()["PersistentVolumeClaim"]["metadata"]["name"]


def test_the_address_of_the_service_is_not_taken_for_a_setting() -> None:
    # Kubernetes would set WENQU_PORT=tcp://… for a Service named wenqu
    assert resources()["Service"]["metadata"]["name"] == "wenqu"
    assert pod()["enableServiceLinks"] is False


def test_the_selector_of_the_service_finds_the_pods() -> None:
    labels = resources()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        resources()["Service"]["spec"]["selector"],
        resources()["Deployment"]["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)


def test_secrets_come_from_outside_and_compose_says_which_is_missing() -> None:
    assert re.findall(r"WENQU_(?:ADMIN|SECRET)_KEY: \$\{(\w+):\?", read("compose.yaml")) == [
        "WENQU_ADMIN_KEY",
        "WENQU_SECRET_KEY",
    ]
    (container,) = pod()["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "wenqu"}}]
    assert unit()["EnvironmentFile"] == ["-/etc/wenqu/environment"]


def test_postgresql_is_started_only_when_it_is_asked_for() -> None:
    found = yaml.safe_load(read("compose.yaml"))
    assert found["services"]["postgres"]["profiles"] == ["postgres"]
    assert service()["depends_on"]["postgres"]["required"] is False
    assert set(found["volumes"]) == {"data", "postgres"}


def test_the_image_in_all_examples_is_of_this_version() -> None:
    (container,) = pod()["containers"]
    assert service()["image"] == container["image"] == f"wenqu:{project()['version']}"


def test_a_service_that_cannot_start_without_a_change_is_not_started_again() -> None:
    assert unit()["ExecStart"] == ["/opt/wenqu/bin/wenqu serve"]
    assert unit()["Restart"] == ["on-failure"]
    assert unit()["RestartPreventExitStatus"] == ["2"]  # bot/commands/announce.py, docs of the CLI


def test_the_commands_that_the_notes_tell_to_run_exist() -> None:
    told = set(re.findall(r"\bwenqu (?!wenqu\b)([a-z]{3,})\b", read("README.md")))
    assert {"backup", "restore", "ingest", "keys"} <= told
    assert told <= set(project()["entry-points"]["wenqu.commands"])
