"""`ostiary serve`."""

import gc
import sys
from pathlib import Path

import click

from ostiary.cli.invocation import Command, Invocation, pass_invocation
from ostiary.settings import Address, Settings

_WORKERS_IN_THIS_VERSION = 1


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """`ADDRESS:PORT`; port 0 takes a free one, IPv6 addresses stand in brackets."""
    if value is not None:
        try:
            Address.parse(value)
        except ValueError:
            example = "for example 127.0.0.1:8420 or [::1]:8420"
            raise click.BadParameter(f"{value!r} is not ADDRESS:PORT, {example}.") from None
    return value


def _embedded_only(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None and not value.startswith("sqlite:"):
        raise click.BadParameter(
            "this version has its embedded store only; leave --database out and choose a place with --home."
        )


def _one_worker(_context: click.Context, _parameter: click.Parameter, value: int) -> None:
    if value != _WORKERS_IN_THIS_VERSION:
        raise click.BadParameter("this version runs one process; leave --workers out or set it to 1.")


@click.command(cls=Command)
@click.option("--gateway", metavar="A:P", callback=_address, help="Where tools connect (default 127.0.0.1:8420).")
@click.option("--console", metavar="A:P", callback=_address, help="The API (default 127.0.0.1:8421).")
@click.option("--ops", metavar="A:P", callback=_address, help="Health and metrics (default 127.0.0.1:8422).")
@click.option("--tls-cert", metavar="FILE", type=click.Path(path_type=Path), help="PEM certificate chain.")
@click.option("--tls-key", metavar="FILE", type=click.Path(path_type=Path), help="PEM private key for it.")
@click.option("--insecure-plaintext", is_flag=True, default=None, help="Allow a non-loopback address without TLS.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default info.")
@click.option(
    "--workers",
    type=int,
    default=1,
    expose_value=False,
    callback=_one_worker,
    help="Processes; only 1 so far.",
)
@click.option(
    "--database",
    metavar="URL",
    expose_value=False,
    callback=_embedded_only,
    help="Only the embedded store so far.",
)
@pass_invocation
def serve(
    invocation: Invocation,
    gateway: str | None,
    console: str | None,
    ops: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure_plaintext: bool | None,
    log_level: str | None,
) -> None:
    """Run the gateway, the API and the health listener until SIGTERM or Ctrl-C.

    Every setting can also be given in the environment as OSTIARY_NAME; an option wins.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together; give both or neither.")
    try:
        settings = Settings.from_environment(
            home=invocation.home_given,
            gateway=gateway,
            console=console,
            ops=ops,
            tls_cert=None if tls_cert is None else str(tls_cert),
            tls_key=None if tls_key is None else str(tls_key),
            insecure_plaintext=insecure_plaintext,
            log_level=log_level,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    gc.disable()  # what is imported stays: looking for garbage in it would take a tenth of the start
    from ostiary.app import serve as run_server

    gc.enable()
    sys.exit(run_server(settings))
