#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small hub for tests, on loopback only, that can be made to misbehave.

    server.py FOLDER STATE [SECONDS]

FOLDER holds repositories: FOLDER/OWNER/NAME/FILE or FOLDER/NAME/FILE. Two ports are opened: the hub, and a storage host to
which the hub sends for files of 4 kB and more. STATE is a folder:
  STATE/hub, STATE/storage   the origins (http://127.0.0.1:PORT), written when they listen
  STATE/log                  one line a request: hub|storage METHOD PATH auth=yes|no range=BYTES|- STATUS
  STATE/faults               lines "FAULT FILE [TIMES]", FILE a name or *; counted TIMES from
                             when the file was last replaced
A repository whose name holds old-name redirects to the same with new-name, without naming the host.
The server ends with its parent, or after SECONDS (default 120).

Faults of the description (HEAD):
  status-N, gated, norepo, norevision, retry-after-S (429), bad-size, bad-hash, bad-etag, bad-commit, no-commit, huge,
  elsewhere (to another host), loop
Faults of the content (GET):
  get-status-N, get-retry-after-S, drop (half of what is asked for), drop-start (nothing), stall, slow, no-range, bad-range,
  range-416, short-length, long-length, corrupt, expired (403 from storage), direct (no redirect)
"""
import hashlib
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

LARGE = 4096
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "refs/pr/1", COMMIT)
lock = threading.Lock()


def digest(path, content):
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Faults:
    def __init__(self, state):
        self.path, self.used, self.lines, self.read = os.path.join(state, "faults"), {}, [], None

    def find(self, name):
        """The faults that hold for this file now, as a dictionary {fault: argument}."""
        found = {}
        with lock:
            self.refresh()
            for line in self.lines:
                fault, file, *times = line.split()
                if file in (name, "*") and (not times or self.used.get(line, 0) < int(times[0])):
                    base, _, number = fault.rpartition("-")
                    found[base if number.isdigit() and not fault.startswith("range") else fault] = (number, line)
        return found

    def refresh(self):
        """Reads a new file of faults, which starts the counts anew."""
        status = os.stat(self.path)
        if (status.st_ino, status.st_mtime_ns) != self.read:
            self.read, self.used = (status.st_ino, status.st_mtime_ns), {}
            self.lines = [line for line in open(self.path).read().splitlines() if line]

    def use(self, found, fault):
        """Does the fault hold? Counts it."""
        if fault not in found:
            return False
        with lock:
            self.used[found[fault][1]] = self.used.get(found[fault][1], 0) + 1
        return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b"", length=None):
        with lock, open(os.path.join(self.server.state, "log"), "a") as log:
            log.write("%s %s %s auth=%s range=%s %d\n" % (
                self.server.role, self.command, self.path, "yes" if self.headers.get("Authorization") else "no",
                (self.headers.get("Range") or "-").replace("bytes=", ""), status))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()

    def refuse(self, status, code=None, headers=()):
        body = b"this is no content\n" * 10
        self.answer(status, list(headers) + ([("X-Error-Code", code)] if code else []), body)
        if self.command != "HEAD":
            self.wfile.write(body)

    def move(self, status, headers):
        self.answer(status, headers, b"moved\n")
        if self.command != "HEAD":
            self.wfile.write(b"moved\n")

    def do_HEAD(self):
        self.serve()

    def do_GET(self):
        self.serve()

    def serve(self):
        path = unquote(self.path).strip("/")
        if self.server.role == "storage":
            return self.serve_content(path, self.server.faults.find(os.path.basename(path)))
        if "old-name" in path:
            return self.move(307, [("Location", self.path.replace("old-name", "new-name"))])
        repository, _, rest = path.partition("/resolve/")
        revision = next((r for r in REVISIONS if rest.startswith(r + "/")), None)
        name = rest[len(revision) + 1:] if revision else rest.rpartition("/")[2]
        found = self.server.faults.find(name)
        if found and self.misdescribe(found, repository, name):
            return
        if not os.path.isdir(os.path.join(self.server.folder, repository)):
            return self.refuse(401, "RepoNotFound")
        if not revision:
            return self.refuse(404, "RevisionNotFound")
        self.serve_file(repository, name, found)

    def misdescribe(self, found, repository, name):
        use = lambda fault: self.server.faults.use(found, fault)
        if self.command != "HEAD":
            return False
        if use("status"):
            self.refuse(int(found["status"][0]))
        elif use("retry-after"):
            self.refuse(429, headers=[("Retry-After", found["retry-after"][0])])
        elif use("gated"):
            self.refuse(403, "GatedRepo")
        elif use("norepo"):
            self.refuse(404, "RepoNotFound")
        elif use("norevision"):
            self.refuse(404, "RevisionNotFound")
        elif use("elsewhere"):
            self.answer(302, [("Location", self.server.storage + self.path)])
        elif use("loop"):
            self.answer(302, [("Location", self.path)])
        else:
            return False
        return True

    def serve_file(self, repository, name, found):
        use = lambda fault: self.server.faults.use(found, fault)
        path = os.path.join(repository, name)
        whole = os.path.join(self.server.folder, path)
        commit = [] if use("no-commit") else [("X-Repo-Commit", "../../x" if use("bad-commit") else COMMIT)]
        if not os.path.isfile(whole):
            return self.refuse(404, "EntryNotFound", commit)
        content = open(whole, "rb").read()
        etag = digest(whole, content)
        if self.command == "HEAD":
            if use("bad-hash"):
                etag = etag[::-1]
            if use("bad-etag"):
                etag = "../../../" + etag[9:]
        size = len(content) + (10 if use("bad-size") else 0)
        size = 1 << 47 if use("huge") else size
        if len(content) < LARGE or use("direct"):
            if self.command == "HEAD":
                return self.answer(200, commit + [("ETag", 'W/"%s"' % etag)], length=size)
            return self.serve_content(path, found)
        self.move(302, commit + [("X-Linked-Etag", '"%s"' % etag), ("X-Linked-Size", str(size)), ("ETag", '"of the redirect"'),
                                 ("Location", self.server.storage + "/" + path)])

    def serve_content(self, path, found):
        use = lambda fault: self.server.faults.use(found, fault)
        content = open(os.path.join(self.server.folder, path), "rb").read()
        if use("get-status"):
            return self.refuse(int(found["get-status"][0]))
        if use("get-retry-after"):
            return self.refuse(503, headers=[("Retry-After", found["get-retry-after"][0])])
        if use("expired"):
            return self.refuse(403)
        if use("corrupt"):
            content = content[:-1] + bytes([content[-1] ^ 1])
        wanted = self.headers.get("Range")
        first = int(wanted[6:].rstrip("-")) if wanted else 0
        headers = [("Accept-Ranges", "bytes")]
        if wanted and use("range-416"):
            return self.refuse(416, headers=[("Content-Range", "bytes */%d" % len(content))])
        if wanted and not use("no-range"):
            shift = 1 if use("bad-range") else 0
            part = content[first + shift:]
            headers.append(("Content-Range", "bytes %d-%d/%d" % (first + shift, len(content) - 1, len(content))))
            status = 206
        else:
            part, status = content, 200
        length = len(part) - 5 if use("short-length") else len(part) + 5 if use("long-length") else len(part)
        self.answer(status, headers, length=length)
        if self.command != "HEAD":
            self.send_part(part, use)

    def send_part(self, part, use):
        if use("drop-start"):
            self.close_connection = True
        elif use("drop"):
            self.wfile.write(part[:len(part) // 2])
            self.close_connection = True
        elif use("stall"):
            self.wfile.write(part[:len(part) // 2])
            self.wfile.flush()
            time.sleep(60)
            self.close_connection = True
        elif use("slow"):
            for at in range(0, len(part), 1 << 15):
                self.wfile.write(part[at:at + (1 << 15)])
                time.sleep(0.01)
        else:
            self.wfile.write(part)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that was killed


def start(role, folder, state, faults, storage=None):
    server = Server(("127.0.0.1", 0), Handler)
    server.role, server.folder, server.state, server.storage = role, folder, state, storage
    server.faults = faults
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d" % server.server_address[1]


def write(path, text):
    with open(path + ".part", "w") as file:
        file.write(text)
    os.rename(path + ".part", path)


def main():
    folder, state = sys.argv[1:3]
    end = time.monotonic() + float(sys.argv[3] if len(sys.argv) > 3 else 120)
    parent = os.getppid()
    faults = Faults(state)
    storage = start("storage", folder, state, faults)
    write(os.path.join(state, "storage"), storage)
    write(os.path.join(state, "hub"), start("hub", folder, state, faults, storage))
    while time.monotonic() < end and os.getppid() == parent:
        time.sleep(0.2)


main()
