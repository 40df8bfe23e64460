"""What is shipped beside the code: lock files, settings, container files, commands."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-fast.lock"]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def names_of(lines: str) -> set[str]:
    """The distributions that requirement lines name, in the spelling of an index."""
    found = re.findall(r"^([A-Za-z][\w.-]*)", lines, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_host_and_no_path(lock: str) -> None:
    text = read(lock)
    assert "==" in text
    assert not re.search(r"://|^\s*#.*\s/|^-|find-links|index-url", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_distribution_is_pinned_and_hashed(lock: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z])", read(lock))
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_lock_holds_all_that_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert names_of("\n".join(project["dependencies"])) <= names_of(read("requirements.lock"))
    assert names_of("\n".join(project["optional-dependencies"]["fast"])) <= names_of(
        read("requirements-fast.lock")
    )
    assert names_of(read("requirements-dev.in")) <= names_of(read("requirements-dev.lock"))


def test_lock_files_agree_with_each_other() -> None:
    pins = [dict(re.findall(r"^([\w.-]+)==(\S+)", read(lock), re.MULTILINE)) for lock in LOCKS]
    for name in pins[0].keys() & pins[1].keys():
        assert pins[0][name] == pins[1][name]


def test_every_setting_is_documented_and_nothing_else() -> None:
    pattern = r"\b(?:SPENDGATE_[A-Z_]+|OPENAI_[A-Z_]+|REDIS_URL)\b"
    known = set(re.findall(pattern, read("service/config.py")))
    documented = set(re.findall(r"^# ([A-Z_]+)=", read("deploy/env.example"), re.MULTILINE))
    assert known
    assert documented == known


def test_every_setting_in_the_example_is_explained_and_commented_out() -> None:
    for block in read("deploy/env.example").strip().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("# ---")]
        assert all(line.startswith("# ") for line in lines)
        assert len(lines) >= 2


def test_image_runs_as_a_user_of_its_own_and_checks_its_health() -> None:
    last_stage = read("deploy/Dockerfile").split("\nFROM ")[-1]
    user = re.search(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert int(user[2]) > 0
    assert "/healthz" in last_stage
    assert last_stage.strip().endswith('CMD ["spendgate", "serve", "--host", "0.0.0.0"]')


def test_image_is_built_from_files_that_exist_and_are_not_ignored() -> None:
    let_through = set(re.findall(r"^!(\S+)$", read(".dockerignore"), re.MULTILINE))
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", read("deploy/Dockerfile"), re.MULTILINE)
    sources = {source for line in copies for source in line.split()}
    assert sources
    assert sources == let_through
    assert all((ROOT / source).exists() for source in sources)


def test_compose_keeps_the_books_durably() -> None:
    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    command = services["redis"]["command"]
    assert "--appendonly yes" in command
    assert "--appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command
    assert services["redis"]["volumes"]
    assert "user" not in services["spendgate"]
    assert services["spendgate"]["environment"]["REDIS_URL"].startswith("redis://redis:")


def test_compose_publishes_the_service_to_this_machine_only() -> None:
    services = yaml.safe_load(read("docker-compose.yml"))["services"]
    assert "ports" not in services["redis"]
    assert all(port.startswith("127.0.0.1:") for port in services["spendgate"]["ports"])


def test_makefile_has_every_command_that_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", read("README.md")))
    assert named >= {"setup", "test", "lint"}
    assert named <= targets


def test_local_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", read("README.md")):
        assert (ROOT / target).exists(), target


def test_reference_page_loads_nothing_from_elsewhere() -> None:
    page = read("service/api/templates/docs.html")
    assert 'load-fonts="false"' in page
    assert not re.search(r"""(?:src|href|url)\s*=\s*["'](?:https?:)?//""", page)
    for asset in re.findall(r'src="/docs/static/([^"]+)"', page):
        assert (ROOT / "service/api/static" / asset).is_file()


def test_scripts_parse() -> None:
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=True)
    compile(read("deploy/gunicorn.conf.py"), "gunicorn.conf.py", "exec")
