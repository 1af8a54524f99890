"""Runs a web app of Gradio or Streamlit on a socket that was handed over.

It is the app's own process: confined, without a network, with one folder to write to. It knows no visitor. Invariant: the
app answers on that socket or nowhere, however it asks to be served.
"""

import inspect
import json
import os
import runpy
import socket
import sys
import traceback

TOLD = json.loads(sys.argv[1])
HANDED = socket.socket(fileno=TOLD["socket"])

# What the toolkits would ask the network for, write beside the app or start as a program.
QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": TOLD["scratch"] + "/.tmp",
    "GRADIO_TEMP_DIR": TOLD["scratch"] + "/.tmp/gradio",
    "GRADIO_EXAMPLES_CACHE": TOLD["scratch"] + "/.tmp/examples",
    "NUMBA_CACHE_DIR": TOLD["scratch"] + "/.tmp/numba",
}

STREAMLIT = {
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "viewer",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "server.address": "127.0.0.1",
    "server.port": 8501,
    "server.fileWatcherType": "none",
    "server.headless": True,
    # Who may reach the app is decided before it is reached, and what reaches it says no origin.
    "server.enableCORS": False,
    "server.enableXsrfProtection": False,
}


def place():
    """Puts what the repository holds where the app looks for it: in its working folder, where it may write, too."""
    for name in sorted(os.listdir(TOLD["folder"])):
        if not os.path.lexists(name):
            os.symlink(os.path.join(TOLD["folder"], name), name)
    file = os.path.join(TOLD["scratch"], TOLD["file"])
    sys.argv = [file]
    # As the interpreter itself does for a script; the first entry is that of `-c`.
    sys.path[0] = os.path.dirname(file)
    return file


def keep_going():
    """Keeps libraries from what they may not do here and do not need."""
    import mimetypes
    import multiprocessing
    import shutil
    import threading

    # There is one process, and no memory that it could share with another.
    for name in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier"):
        setattr(multiprocessing, name, getattr(threading, name))
    # Lists of the machine, beside the one that comes with Python.
    mimetypes.knownfiles.clear()
    # Modes and times cannot be set; a copy does without.
    shutil.copystat = lambda *_, **__: None
    shutil.copymode = lambda *_, **__: None


class Mounted:
    """An ASGI app below the address that the request says, as it looks from outside."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            prefix = headers.get(b"x-forwarded-prefix", b"").decode("latin-1")
            proto = headers.get(b"x-forwarded-proto", b"http").decode("latin-1")
            is_socket = scope["type"] == "websocket"
            scope = dict(scope)
            scope["scheme"] = proto.replace("http", "ws") if is_socket else proto
            scope["root_path"] = prefix
            scope["path"] = prefix + scope["path"]
            scope["raw_path"] = prefix.encode("latin-1") + (scope.get("raw_path") or b"")
            scope["client"] = ("127.0.0.1", 0)
        await self.app(scope, receive, send)


def serve(app):
    """Answers on the socket for as long as the process lives."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", proxy_headers=False)
    uvicorn.Server(config).run(sockets=[HANDED])


def gradio(file):
    import gradio
    from fastapi import FastAPI

    launched = []

    def launch(blocks, *args, **kwargs):
        names = list(inspect.signature(gradio_launch).parameters)[1:]
        launched.append((blocks, {**dict(zip(names, args)), **kwargs}))
        return None, "", None

    gradio_launch = gradio.Blocks.launch
    gradio.Blocks.launch = launch
    found = runpy.run_path(file, run_name="__main__")
    if not launched:
        # As on Spaces, an app that is made and not launched is the one that is meant.
        made = [found[name] for name in ("demo", "app", "iface", "interface") if isinstance(found.get(name), gradio.Blocks)]
        if not made:
            raise SystemExit("error: the app launches nothing; it ends with `demo.launch()`")
        launched = [(made[0], {})]
    blocks, wanted = launched[-1]
    if wanted.get("auth") or wanted.get("auth_dependency"):
        raise SystemExit("error: the app asks for a sign-in of its own (`auth`); who may use it is set by the rights of its repository")
    known = inspect.signature(gradio.mount_gradio_app).parameters
    ours = {"app", "blocks", "path", "server_name", "server_port", "root_path", "auth_message", "node_server_name", "node_port", "ssr_mode", "pwa"}
    passed = {name: value for name, value in wanted.items() if name in known and name not in ours and value is not None}
    serve(Mounted(gradio.mount_gradio_app(FastAPI(), blocks, path="", **passed)))


def streamlit(file):
    from streamlit.runtime import metrics_util
    from streamlit.web import bootstrap

    # It would look at what the machine is called.
    metrics_util._get_machine_id_v3 = lambda: "app"
    # Whichever of its two servers it comes with, it takes this socket for the one that it made.
    try:
        import tornado.tcpserver

        tornado.tcpserver.bind_sockets = lambda *_, **__: [HANDED]
    except ImportError:
        pass
    try:
        from streamlit.web.server.starlette import starlette_server

        starlette_server._bind_socket = lambda *_, **__: HANDED
    except ImportError:
        pass
    bootstrap.load_config_options(flag_options={name.replace(".", "_"): value for name, value in STREAMLIT.items()})
    bootstrap.run(file, False, [], {})


def main():
    os.environ.update(QUIET)
    # It would look for an address in the name of the socket.
    sys.modules["uvloop"] = None
    HANDED.setblocking(False)
    keep_going()
    file = place()
    try:
        {"gradio": gradio, "streamlit": streamlit}[TOLD["sdk"]](file)
    except SystemExit:
        raise
    except BaseException as error:
        traceback.print_exc()
        said = str(error).strip().splitlines()
        sys.exit(f"error: {type(error).__name__}: {said[0] if said else ''}")


main()
