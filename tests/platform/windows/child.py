"""The child of a service host, in the tests of it: it waits for files to appear, and notes down what it hears.

child.py FOLDER MODE. FOLDER/started has its process id, FOLDER/heard what its owner said. Files that it waits for:
`ready` before it says that it is, `end` before it ends. It runs on Linux and on Windows alike.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

folder, mode = Path(sys.argv[1]), sys.argv[2]


def wait_for(name: str) -> None:
    while not (folder / name).exists():
        time.sleep(0.02)


def note(name: str, text: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


print("the child begins: Größe 文書", file=sys.stderr, flush=True)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) if mode == "family" else None
note("started", f"{os.getpid()} {0 if grandchild is None else grandchild.pid}")
note("arguments", repr(sys.argv[3:]))
if mode == "misconfigured":
    print('{"error": {"message": "1 mistake", "hint": "see ndfd config check"}}', flush=True)
    sys.exit(78)
wait_for("ready")
print('{"sockets": ["a"]}', flush=True)
if mode == "dies":
    print("it is all over", file=sys.stderr, flush=True)
    wait_for("end")
    os._exit(3)
for line in sys.stdin:
    note("heard", line.strip())
    if line == "drain\n" and mode != "deaf":
        wait_for("end")
        sys.exit(0)
note("heard", "the end")
if mode == "deaf":
    wait_for("end")
