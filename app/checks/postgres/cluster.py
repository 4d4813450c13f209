"""Run tests of the app's database against a real PostgreSQL server: ``nox -s postgres``.

    python app/checks/postgres/cluster.py [ARGUMENTS OF PYTEST]

A cluster of its own in a temporary folder, on a free port of loopback, as a user that is not root
(PostgreSQL refuses root); it is gone afterwards. Exits 2 when PostgreSQL is not installed.
"""

# ruff: noqa: INP001 - a script beside its session, not a package

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER_USER = "nobody"
TESTS = (
    *("observations/test_store.py", "observations/test_window_cache.py"),
    *("observations/test_removal.py", "observations/test_fetch.py"),
    *("catalogue/test_decisions.py", "forecasting/test_live_scores.py"),
    *("forecasting/test_forecast_log.py", "rollout"),
)
DEBIAN = Path("/usr/lib/postgresql")  # where Debian keeps what is not on the path


def find_programs() -> Path | None:
    """The folder of initdb and pg_ctl, the newest there is; None when there is none."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


@contextmanager
def cluster(programs: Path, folder: Path) -> Iterator[str]:
    """A running server of an empty cluster; its URL."""
    user = OTHER_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "--pgdata", str(folder / "data"), *arguments]
        found = subprocess.run(  # noqa: S603 - PostgreSQL's own programs
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            user=user if os.geteuid() == 0 else None,
        )
        if found.returncode:
            raise SystemExit(f"{program} failed:\n{found.stdout}{found.stderr}")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run("initdb", "--username=fairweather", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "start", "--wait", "--options", options, "--log", str(folder / "log"))
    try:
        yield f"postgresql+psycopg://fairweather@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")


def main() -> int:
    """Start the cluster, run the tests, stop it."""
    programs = find_programs()
    if programs is None:
        print(  # noqa: T201 - to whoever started it
            "found no PostgreSQL: expected initdb on the PATH, or below /usr/lib/postgresql; "
            "on Debian: apt-get install postgresql",
            file=sys.stderr,
        )
        return 2
    tests = [str(Path(__file__).parents[2] / "tests" / name) for name in TESTS]
    with tempfile.TemporaryDirectory() as made, cluster(programs, Path(made)) as url:
        return subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "pytest", "-m", "not sqlite", *tests, *sys.argv[1:]],
            env=os.environ | {"TESTS_POSTGRESQL": url},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
