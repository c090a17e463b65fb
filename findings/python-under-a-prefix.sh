#!/usr/bin/env bash
# `app.mount("/ws", socketio.ASGIApp(sio))` in Starlette 1.10.0 or FastAPI serves python-socketio 5.18.1 under no path at all, and so does
# `uvicorn --root-path /api`, while the application's pages work.
#
# Expected: a mounted application serves its own paths below the prefix, so that clients go to `/ws/socket.io/`; and `--root-path` is what one
# says behind a proxy that cuts `/api` off, and changes nothing but the links that are made. Seen: ASGIApp compares its `socketio_path`
# with the whole path, prefix included, so that the mounted one answers 404 everywhere, unless it is given
# `socketio_path="/ws/socket.io"`. uvicorn 0.54.0 puts `--root-path` in front of each path, which Starlette takes off again and ASGIApp does not: the same
# page of the same process is there, and Socket.IO behind the same proxy is gone. Under Hypercorn 0.18.0 with `--root-path` it is there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check \
    python-socketio==5.18.1 starlette==1.10.0 uvicorn==0.54.0 hypercorn==0.18.0
cat >application.py <<'PY'
import os

import socketio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

prefix, *path = os.environ["MOUNT"].split()
application = Starlette(routes=[Route("/page", lambda request: PlainTextResponse("a page"))])
server = socketio.AsyncServer(async_mode="asgi")
application.mount(prefix, socketio.ASGIApp(server, **({"socketio_path": path[0]} if path else {})))
PY
cat >run.py <<'PY'
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request


def status(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def show(kind, *options, mount):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--port", str(port)] if kind == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [f"python/bin/{kind}", "application:application", *where, *options],
        env={**os.environ, "MOUNT": mount}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    for _ in range(300):
        page = status(port, "/page")
        if page:
            break
        time.sleep(0.2)
    paths = ["", "/ws", "/api", "/ws/ws", "/api/api"]
    found = [f"{path}/socket.io/" for path in paths if status(port, f"{path}/socket.io/?EIO=4&transport=polling") == 200]
    print(f"{' '.join((kind, *options))}, mounted at {mount}: page {page}, Socket.IO at {', '.join(found) or 'no path'}", flush=True)
    process.kill()
    process.wait()


show("uvicorn", mount="/")
show("uvicorn", mount="/ws")
show("uvicorn", mount="/ws /ws/socket.io")
show("uvicorn", "--root-path", "/api", mount="/")
show("uvicorn", "--root-path", "/api", mount="/ /api/socket.io")
show("hypercorn", "--root-path", "/api", mount="/")
PY
cat >expected <<'TEXT'
uvicorn, mounted at /: page 200, Socket.IO at /socket.io/
uvicorn, mounted at /ws: page 200, Socket.IO at no path
uvicorn, mounted at /ws /ws/socket.io: page 200, Socket.IO at /ws/socket.io/
uvicorn --root-path /api, mounted at /: page 200, Socket.IO at no path
uvicorn --root-path /api, mounted at / /api/socket.io: page 200, Socket.IO at /socket.io/
hypercorn --root-path /api, mounted at /: page 200, Socket.IO at /socket.io/
TEXT
timeout 400 python/bin/python run.py | tee seen
diff expected seen && echo "as described: python-socketio 5.18.1, $(python/bin/python --version)"
