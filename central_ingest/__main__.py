"""The command line: `central-ingest serve`, `ingest`, `import`, `enrol`, `user` and others."""

import logging
import sys
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

import typer

from central_ingest import app as centre
from central_ingest import config, enrolment, grid, quarantine_commands
from central_ingest.authority import VALID_DAYS
from central_ingest.backup import Kept, Site, back_up
from central_ingest.backup import restore as restore_backup
from central_ingest.clock import utc_now
from central_ingest.command_options import ConfigFile, Data, explained, settings_of
from central_ingest.config import LOG_FORMAT, Settings
from central_ingest.dedup import Place
from central_ingest.enrolment import Addresses, BrokerFolder, Credentials, Joining
from central_ingest.errors import ConfigError
from central_ingest.store import access, cells, exports, quarantine
from central_ingest.store.access import Actor, Role
from central_ingest.store.database import Engine, reading, writing
from contract.topics import AgentAddress

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The centre of Gridwatch.")
import_app = typer.Typer(no_args_is_help=True, help="Bring cells and components in.")
export_app = typer.Typer(no_args_is_help=True, help="Write cases and cells to files.")
user_app = typer.Typer(no_args_is_help=True, help="People and programs that may ask the centre.")
app.add_typer(import_app, name="import")
app.add_typer(export_app, name="export")
app.add_typer(user_app, name="user")
app.add_typer(quarantine_commands.app, name="quarantine")

BrokerHost = Annotated[str | None, typer.Option(help="Where the MQTT broker is.")]
BrokerPort = Annotated[int | None, typer.Option(help="The port of the MQTT broker.")]


@app.command()
def serve(  # noqa: PLR0913 -- one parameter an option
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    broker_host: BrokerHost = None,
    broker_port: BrokerPort = None,
    ingest: Annotated[bool, typer.Option(help="Run the ingest beside.")] = True,
    grid_file: Annotated[
        Path | None, typer.Option("--grid", help="Cells to import if they are not there yet.")
    ] = None,
) -> None:
    """Answer people, and take reports in beside."""
    with explained():
        broker = {"host": broker_host, "port": broker_port}
        settings = settings_of(config_file, data, http={"host": host, "port": port}, broker=broker)
        given = {
            "--config": config_file,
            "--data": data,
            "--broker-host": broker_host,
            "--broker-port": broker_port,
        }
        arguments = [
            part
            for option, value in given.items()
            if value is not None
            for part in (option, str(value))
        ]
        command = centre.ingest_command(arguments) if ingest else None

        def bring_cells(engine: Engine) -> None:
            if grid_file is not None:
                _import_cells(engine, grid_file, None, again=False)

        centre.serve(settings, command, lambda line: print(line, flush=True), bring_cells)


@app.command()
def ingest(
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    broker_host: BrokerHost = None,
    broker_port: BrokerPort = None,
    worker: Annotated[str, typer.Option(help="Its name; each worker needs its own.")] = "ingest",
    parent_pid: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Take reports in, without API and pages."""
    with explained():
        settings = settings_of(config_file, data, broker={"host": broker_host, "port": broker_port})
        centre.run_ingest(settings, worker, parent_pid)


@app.command()
def migrate(*, config_file: ConfigFile = None, data: Data = None) -> None:
    """Bring the database to this version."""
    with explained():
        centre.migrate_database(settings_of(config_file, data))
        typer.echo("the database is at this version")


@app.command()
def move(
    to: Annotated[Path, typer.Option(help="The settings that name the new, empty database.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Copy everything into another database, e.g. into PostgreSQL; stop the centre first."""
    with explained():
        new = centre.open_target(settings_of(to, None))
        rows = centre.move_database(settings_of(config_file, data), new)
        typer.echo(f"{sum(rows.values())} rows of {len(rows)} tables copied and counted")
        typer.echo(f"start the centre with --config {to} now; the old database is unchanged")


@app.command()
def backup(
    out: Annotated[Path, typer.Argument(help="The folder to write; it must not exist.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Write database, evidence and authority into a new folder, while the centre goes on."""
    with explained():
        settings = settings_of(config_file, data)
        kept = back_up(_site(settings, centre.open_database(settings)), out, utc_now())
        _say_kept("written to", out, kept)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `backup` wrote.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Fill an empty database, evidence and authority from a backup; stop the centre first."""
    with explained():
        settings = settings_of(config_file, data)
        kept = restore_backup(folder, _site(settings, centre.open_target(settings)))
        _say_kept("restored from", folder, kept)


def _site(settings: Settings, engine: Engine) -> Site:
    return Site(engine, centre.open_evidence(settings), settings.authority_folder)


def _say_kept(what: str, folder: Path, kept: Kept) -> None:
    rows = sum(kept.rows.values())
    typer.echo(f"{rows} rows and {kept.evidence} pieces of evidence {what} {folder}")
    if kept.authority:
        typer.echo("with the agents' certificate authority")
    if kept.missing:
        typer.echo(f"missing evidence: {len(kept.missing)}, see manifest.json", err=True)


@app.command()
def requeue(*, config_file: ConfigFile = None, data: Data = None) -> None:
    """File again what lies in quarantine, after an upgrade or a correction."""
    with explained():
        settings = settings_of(config_file, data)
        engine = centre.open_database(settings)
        rules = centre.filing_rules(settings)
        done = quarantine.requeue(engine, rules, settings.ingest.body_max_bytes, utc_now())
        typer.echo(f"filed {done.filed}, still in quarantine {done.left}")


@app.command()
def enrol(  # noqa: PLR0913 -- one parameter an option
    agent_id: Annotated[str, typer.Argument(help="The agent's id, as in its topics.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    city: Annotated[str, typer.Option(help="Its city, as in its topics.")] = "demo",
    credentials: Annotated[
        Credentials, typer.Option(help="What proves it to the broker.")
    ] = Credentials.CERTIFICATE,
    days: Annotated[
        int,
        typer.Option(help="How long a certificate is valid, 7300 at most.", min=1, max=VALID_DAYS),
    ] = 730,
    broker_host: BrokerHost = None,
    broker_port: Annotated[int, typer.Option(help="Else the usual one.", min=0, max=65535)] = 0,
    out: Annotated[Path | None, typer.Option(help="File to write; else it is printed.")] = None,
) -> None:
    """Give an agent its credentials, in one file to copy to its gateway; what it had before ends.

    The broker must read its files again afterwards: `systemctl reload mosquitto`, or SIGHUP.
    """
    with explained():
        settings = settings_of(config_file, data)
        try:
            address = AgentAddress(city, agent_id)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        addresses = Addresses(
            broker_host or settings.broker.public_host or settings.broker.host,
            broker_port or settings.broker.public_port,
            settings.http.address,
        )
        made = enrolment.enrol(
            centre.open_database(settings),
            _broker_folder(settings),
            Joining(address, credentials, days),
            addresses,
            utc_now(),
            out,
        )
        if out is None:
            typer.echo(made.to_file())
        else:
            typer.echo(f"written to {out}; it holds a secret", err=True)
        _warn_of_loopback(addresses)


@app.command()
def revoke(
    agent_id: Annotated[str, typer.Argument(help="The agent's id, as in its topics.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """End an agent's token, account and certificate; the broker must read its files again."""
    with explained():
        settings = settings_of(config_file, data)
        engine = centre.open_database(settings)
        if not enrolment.revoke(engine, _broker_folder(settings), agent_id, utc_now()):
            raise ConfigError(f"no agent {agent_id} is enrolled")
        typer.echo(f"{agent_id} may not speak here any more, once the broker has read its files")


@app.command()
def broker(
    hosts: Annotated[list[str], typer.Argument(help="Names and addresses agents know it by.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    seen_as: Annotated[
        Path | None, typer.Option(help="The folder as the broker sees it, e.g. in a container.")
    ] = None,
    local: Annotated[
        str, typer.Option(help="The address on which the broker awaits the centre.")
    ] = "127.0.0.1",
) -> None:
    """Write what Mosquitto needs: configuration, certificates, accounts, ACL, revocation list."""
    with explained():
        settings = settings_of(config_file, data)
        folder, now = _broker_folder(settings), utc_now()
        folder.write(centre.open_database(settings), now)
        seen = PurePosixPath(seen_as or folder.path.absolute())
        typer.echo(f"mosquitto -c {folder.write_broker(hosts, seen, local, now)}")
        typer.echo(
            f"the centre's own account is 'centre'; its password is in {folder.centre_secret}"
        )


def _broker_folder(settings: Settings) -> BrokerFolder:
    return BrokerFolder(settings.broker_folder, settings.authority_folder)


def _warn_of_loopback(addresses: Addresses) -> None:
    """A gateway would look for broker and centre on itself: say so, with what to set."""
    broker, centre = addresses.broker_host, addresses.centre_url
    told = [
        (broker, "the broker", broker, "broker.public_host"),
        (urlsplit(centre).hostname or "", "the centre", centre, "http.public_url"),
    ]
    for host, what, address, setting in told:
        if config.is_local(host):
            typer.echo(
                f"central-ingest: warning: the agent is told {address} for {what}, which only this "
                f"machine can reach; set {setting} and enrol it again",
                err=True,
            )


def _password() -> str:
    """From the prompt, or the first line of what is piped in."""
    if sys.stdin.isatty():
        given = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        given = sys.stdin.readline().rstrip("\n")
    if len(given) < 8:
        raise ConfigError("the password has fewer than 8 characters")
    return given


@user_app.command("add")
def user_add(
    name: str,
    *,
    role: Annotated[Role, typer.Option(help="reader, officer or admin.")] = Role.OFFICER,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Add somebody, or give them a new password and role."""
    with explained():
        if role is Role.AGENT:
            raise ConfigError("agents are enrolled: central-ingest enrol AGENT")
        engine = centre.open_database(settings_of(config_file, data))
        password = _password()
        with writing(engine) as connection:
            access.put_user(connection, Actor(name, role), password, utc_now())
        typer.echo(f"{name} is {role.value}")


@user_app.command("token")
def user_token(
    name: str,
    *,
    role: Annotated[Role, typer.Option(help="reader, officer or admin.")] = Role.READER,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Print a bearer token for a program; it is shown once."""
    with explained():
        if role is Role.AGENT:
            raise ConfigError("agents are enrolled: central-ingest enrol AGENT")
        with writing(centre.open_database(settings_of(config_file, data))) as connection:
            typer.echo(access.issue_token(connection, Actor(name, role), utc_now()))


@user_app.command("disable")
def user_disable(name: str, *, config_file: ConfigFile = None, data: Data = None) -> None:
    """Lock somebody out, and end their sessions."""
    with explained():
        with writing(centre.open_database(settings_of(config_file, data))) as connection:
            found = access.disable_user(connection, name, utc_now())
        if not found:
            raise ConfigError(f"there is no user {name}")
        typer.echo(f"{name} is locked out")


@user_app.command("list")
def user_list(*, config_file: ConfigFile = None, data: Data = None) -> None:
    """Everybody who can log in."""
    with explained(), reading(centre.open_database(settings_of(config_file, data))) as connection:
        for user in access.list_users(connection):
            typer.echo(f"{user.name}\t{user.role.value}")


@import_app.command("grid")
def import_grid(
    file: Annotated[Path, typer.Argument(help="GeoJSON polygons with 15-character codes.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    version: Annotated[str | None, typer.Option(help="Else the file's, else its name.")] = None,
) -> None:
    """Import cells, all of the file or none."""
    with explained():
        engine = centre.open_database(settings_of(config_file, data))
        typer.echo(_import_cells(engine, file, version, again=True))


def _import_cells(engine: Engine, file: Path, version: str | None, *, again: bool) -> str:
    found = grid.read_cells(file)
    digest = sha256(file.read_bytes()).hexdigest()
    name = version or grid.version_of(file)
    with writing(engine) as connection:
        if not again and cells.has_source(connection, digest):
            return f"grid {name} is there already"
        origin = cells.GridSource(name, file.name, digest)
        cells.import_cells(connection, origin, found, utc_now())
    return f"grid {name}: {len(found)} cells"


@import_app.command("lattice")
def import_lattice(  # noqa: PLR0913 -- one parameter an option
    lon: float,
    lat: float,
    *,
    rows: Annotated[int, typer.Option(help="Cells north to south.")] = 10,
    columns: Annotated[int, typer.Option(help="Cells west to east.")] = 10,
    side_m: Annotated[float, typer.Option(help="Length of a side.")] = 100,
    out: Annotated[Path | None, typer.Option(help="Also write GeoJSON, for agents.")] = None,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Generate square cells around a point, marked as unofficial, where a city has none yet."""
    with explained():
        engine = centre.open_database(settings_of(config_file, data))
        centre_point = Place(lon, lat, 0)
        found = grid.lattice(centre_point, rows, columns, side_m)
        version = grid.lattice_version(centre_point, rows, columns, side_m)
        text = grid.to_geojson(found, version)
        origin = cells.GridSource(version, "lattice", sha256(text.encode()).hexdigest())
        with writing(engine) as connection:
            cells.import_cells(connection, origin, found, utc_now())
        if out is not None:
            out.write_text(text, encoding="utf-8")
        typer.echo(f"grid {version}: {len(found)} cells, unofficial")


@import_app.command("components")
def import_components(
    file: Annotated[Path, typer.Argument(help="GeoJSON points with id, standard and kind.")],
    *,
    config_file: ConfigFile = None,
    data: Data = None,
) -> None:
    """Import registered objects (部件)."""
    with explained():
        engine = centre.open_database(settings_of(config_file, data))
        found = grid.read_components(file)
        with writing(engine) as connection:
            cells.import_components(connection, found)
        typer.echo(f"{len(found)} components")


@export_app.command("grid")
def export_grid(
    out: Path,
    *,
    config_file: ConfigFile = None,
    data: Data = None,
    version: Annotated[str | None, typer.Option(help="Else the one in use.")] = None,
) -> None:
    """Write cells as GeoJSON, as agents read them."""
    with explained():
        engine = centre.open_database(settings_of(config_file, data))
        count = exports.export_grid(engine, out, version)
        typer.echo(f"{count} cells written to {out}")


@export_app.command("cases")
def export_cases(out: Path, *, config_file: ConfigFile = None, data: Data = None) -> None:
    """Write all cases, their sightings and decisions as a SQLite file, e.g. for Datasette."""
    with explained():
        engine = centre.open_database(settings_of(config_file, data))
        count = exports.export_cases(engine, out)
        typer.echo(f"{count} cases written to {out}")


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    app()


if __name__ == "__main__":
    main()
