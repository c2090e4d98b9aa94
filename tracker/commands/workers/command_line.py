"""What `tracker serve` runs: one node in this process, or several in processes of their own."""

import sys

from tracker.commands import serve as command
from tracker.commands.options import without_option
from tracker.commands.running import run_until_stopped
from tracker.commands.workers.supervisor import serve_workers
from tracker.config import Config
from tracker.system.progress import Teller


def run_service(config: Config, *, migrate: bool, workers: int, shared_port: bool) -> None:
    """Serve until SIGTERM. Raises ClickException for a known error."""
    say = Teller(sys.stderr, log=command.log_progress).say
    if workers == 1:
        run_until_stopped(
            lambda stop: command.serve(config, stop, say, migrate=migrate, shared=shared_port), status=0
        )
        return
    arguments = without_option(sys.argv[2:], "--workers", "--metrics-bind")
    run_until_stopped(
        lambda stop: serve_workers(config, stop, say, arguments, workers, migrate=migrate), status=0
    )
