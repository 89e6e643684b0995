"""`python -m cdp.demo.child api|extranet|worker [PORT]`: one server of the demo, in a process of its own.

It reads its settings from the environment, as in production, and ends when the demo ends, even when that is killed: then
the pipe it was given for its input closes.
"""

import os
import signal
import sys
import threading
from typing import Final

from cdp.logs import configure
from cdp.server import serve, server_config, work
from cdp.settings import load_settings

APPLICATIONS: Final = {"api": "cdp.app:app", "extranet": "extranet.app:app"}


def main(name: str, port: int) -> None:
    """Serve, or work, until told to stop or left alone."""
    threading.Thread(target=_end_with_the_demo, name="parent", daemon=True).start()
    settings = load_settings()
    configure(settings)
    if name == "worker":
        work(settings)
    else:
        serve(server_config(APPLICATIONS[name], settings, host="127.0.0.1", port=port), settings)


def _end_with_the_demo() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
