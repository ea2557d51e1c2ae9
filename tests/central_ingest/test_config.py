"""Settings: every mistake is named with file, line and the nearest key."""

from pathlib import Path

import pytest

from central_ingest.config import Settings, default_data, load
from central_ingest.errors import ConfigError
from contract.catalogue import Category, Family


def write(folder: Path, text: str) -> Path:
    path = folder / "centre.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_gives_the_defaults_of_the_demo() -> None:
    settings = load(None, {})
    assert settings.http.address == "http://127.0.0.1:8080"
    assert settings.database_url == f"sqlite:///{settings.data}/centre.db"
    assert set(settings.cases.deadlines) == set(Category)


@pytest.mark.parametrize(
    ("environment", "user_id", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/gw:/other"}, 0, "/var/lib/gw"),
        ({}, 0, "/var/lib/gridwatch"),
        ({"XDG_DATA_HOME": "/home/li/data"}, 1000, "/home/li/data/gridwatch"),
        ({}, 1000, str(Path.home() / ".local/share/gridwatch")),
    ],
)
def test_data_lies_in_the_same_place_wherever_one_stands(
    environment: dict[str, str], user_id: int, folder: str
) -> None:
    assert default_data(environment, user_id) == Path(folder)


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    assert load(write(tmp_path, "# nothing yet\n"), {}) == Settings()


def test_all_sections_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
data: /srv/gridwatch
http: {host: 10.0.0.1, port: 8443, hosts: [centre.city]}
duplicates: {caps_m: {cover: 2.5}, gap_s: 30}
cases:
  number: "{source}-{yyyymmdd}-{sequence:06d}"
  calendar: {work_hours: [["08:30", "12:00"], ["13:00", "17:30"]], holidays: [2026-10-01]}
  deadlines: {bin_overflow: {amount: 6, kind: work_hour}}
""",
    )
    settings = load(path, {"http": {"port": 9000}})
    assert (settings.http.host, settings.http.port) == ("10.0.0.1", 9000)
    assert settings.duplicates.cap_m(Family.COVER) == 2.5
    assert settings.duplicates.cap_m(Family.BIN) == 3.0
    assert not settings.cases.calendar.is_work_day(next(iter(settings.cases.calendar.holidays)))
    assert settings.evidence_folder == Path("/srv/gridwatch/evidence")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("htpp: {}\n", "centre.yaml:1: unknown key 'htpp'; did you mean 'http'?"),
        ("http:\n  prot: 1\n", "centre.yaml:2: unknown key 'http.prot'; did you mean 'port'?"),
        (
            "\nduplicates:\n  gap: 5\n",
            "centre.yaml:3: unknown key 'duplicates.gap'; did you mean 'gap_s'?",
        ),
        (
            "cases:\n  calendar:\n    holidys: []\n",
            "centre.yaml:3: unknown key 'cases.calendar.holidys'; did you mean 'holidays'?",
        ),
        ("http:\n  port: many\n", "centre.yaml:2: http.port: "),
        ("broker:\n  port: 0\n", "centre.yaml:2: broker.port: "),
        ("http: {}\nhttp: {}\n", "centre.yaml:2: key 'http' stands here a second time"),
        ("- a\n", "centre.yaml:1: keys such as 'http:' were expected"),
        ("http: [\n", "is no YAML"),
        ("cases: {number: '{source}'}\n", "must hold {sequence}"),
        ("cases: {number: '{city}{sequence}'}\n", "{source}, {yyyymmdd} and {sequence} are known"),
        ("cases: {deadlines: {ufo: {amount: 1, kind: work_day}}}\n", "centre.yaml:1: "),
        ("duplicates: {caps_m: {bin: 500}}\n", "at most 50 m"),
        ("cases: {calendar: {timezone: Nowhere}}\n", "time zone 'Nowhere' is not known"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), {})
    assert message in str(caught.value)


@pytest.mark.parametrize("section", ["http", "broker", "database", "duplicates", "cases"])
@pytest.mark.parametrize("value", ["5", "0", "[a]", "''"])
def test_a_section_that_holds_no_keys_is_named(tmp_path: Path, section: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, f"\n{section}: {value}\n"), {"http": {}, "broker": {"port": 1884}})
    assert f"centre.yaml:2: {section}: a mapping of keys was expected" in str(caught.value)


def test_an_empty_section_is_no_mistake(tmp_path: Path) -> None:
    assert load(write(tmp_path, "http:\n"), {"http": {"port": 9000}}).http.port == 9000


def test_a_database_is_called_by_where_its_address_stands(tmp_path: Path) -> None:
    path = write(tmp_path, "data: /srv\ndatabase:\n  url: sqlite:////srv/other.db\n")
    assert load(path, {}).database_name == f"{path}:3: database.url"
    assert load(write(tmp_path, "data: /srv\n"), {}).database_name == "/srv/centre.db"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load(tmp_path / "none.yaml", {})


def test_a_secret_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "from-environment")
    path = write(tmp_path, 'broker: {password: "${secret:BROKER_PASSWORD}"}\n')
    password = load(path, {}).broker.password
    assert password is not None
    assert password.get_secret_value() == "from-environment"


def test_a_secret_comes_from_a_file_of_the_secrets_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "DATABASE").write_text("s3cret\n")
    monkeypatch.setenv("GRIDWATCH_SECRETS_DIR", str(tmp_path))
    path = write(tmp_path, 'database: {url: "postgresql://u:${secret:DATABASE}@h/d"}\n')
    settings = load(path, {})
    assert settings.database_url == "postgresql://u:s3cret@h/d"
    assert "s3cret" not in repr(settings)


def test_a_missing_secret_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, '\nbroker:\n  password: "${secret:NOT_THERE}"\n')
    with pytest.raises(ConfigError, match=r"centre\.yaml:3: secret NOT_THERE is not there"):
        load(path, {})


def test_a_mistake_beside_a_secret_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "do-not-show")
    path = write(tmp_path, 'broker: {port: "${secret:TOKEN}"}\n')
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert "do-not-show" not in str(caught.value)
