"""An object store on loopback that speaks the part of S3's protocol that pyarrow's client uses.

Source: Amazon S3 API Reference (HeadBucket, ListObjectsV2, HeadObject, GetObject, PutObject, DeleteObject,
CreateMultipartUpload, UploadPart, CompleteMultipartUpload; "Error responses"), and its "Signature Calculations for the
Authorization Header: Transferring Payload in Multiple Chunks" for bodies in chunks.
"""

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

KEY_ID = "AKIDTESTS"
Answer = tuple[int, bytes, dict[str, str]]


class S3Server(ThreadingHTTPServer):
    """Stores `objects` by bucket and key. It accepts requests that are signed with the key `KEY_ID`."""

    daemon_threads = True

    def __init__(self, *buckets: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, dict[str, bytes]] = {bucket: {} for bucket in buckets}
        self.parts: dict[str, dict[int, bytes]] = {}
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        """Record the client's connection, for `stop`."""
        self._connections.append(request)
        super().process_request(request, client_address)

    def stop(self) -> None:
        """Stop: refuse new connections, and close the existing ones."""
        self.shutdown()
        self.server_close()
        for line in self._connections:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def url(self, path: str) -> str:
        """The URL of a bucket or of an object, as in a plan."""
        host = f"127.0.0.1:{self.server_address[1]}"
        return f"s3://{path}?endpoint_override={host}&scheme=http&region=us-east-1"


@contextmanager
def s3_server(*buckets: str) -> Iterator[S3Server]:
    """A running store with these buckets."""
    with S3Server(*buckets) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _RefusedError(Exception):
    """An error response: its status, and its code in the API's words."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Server

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def parse_request(self) -> bool:
        """Route every HTTP method to `_respond`."""
        if not super().parse_request():
            return False
        target = urlsplit(self.path)
        self.query = dict(parse_qsl(target.query, keep_blank_values=True))
        _, self.bucket, *key = unquote(target.path).split("/", 2)
        self.key = key[0] if key else ""
        setattr(self, f"do_{self.command}", self._respond)
        return True

    def _respond(self) -> None:
        content = self._body()
        try:
            self._authorize()
            status, body, headers = self._choose_handler()(content)
        except _RefusedError as refused:
            status, code = refused.args
            body, headers = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), {}
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _authorize(self) -> None:
        signed = self.headers.get("Authorization", "")
        if not signed:
            raise _RefusedError(403, "AccessDenied")
        if f"Credential={KEY_ID}/" not in signed:
            raise _RefusedError(403, "InvalidAccessKeyId")
        if self.bucket not in self.server.objects:
            raise _RefusedError(404, "NoSuchBucket")

    def _choose_handler(self) -> Callable[[bytes], Answer]:
        match self.command:
            case "HEAD" | "GET" if self.key:
                return self._get
            case "HEAD" | "GET":
                return self._list
            case "PUT":
                return self._put
            case "POST" if "uploads" in self.query:
                return self._begin_upload
            case "POST":
                return self._end_upload
        return self._delete

    @property
    def _objects(self) -> dict[str, bytes]:
        return self.server.objects[self.bucket]

    def _get(self, _: bytes) -> Answer:
        if self.key not in self._objects:
            raise _RefusedError(404, "NoSuchKey")
        content = self._objects[self.key]
        headers = {"ETag": _tag(content), "Last-Modified": formatdate(usegmt=True)}
        requested = self.headers.get("Range")
        if requested is None:
            return 200, content, headers
        first, last = (int(end) for end in requested.removeprefix("bytes=").split("-"))
        part = content[first : last + 1]
        return 206, part, headers | {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(content)}"}

    def _list(self, _: bytes) -> Answer:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        files, folders = [], set()
        for key in sorted(key for key in self._objects if key.startswith(prefix)):
            first, cut, _below = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if cut:
                folders.add(prefix + first + cut)
            else:
                files.append(key)
        rows = [
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self._objects[key])}</Size>"
            "<LastModified>2026-01-05T00:00:00.000Z</LastModified></Contents>"
            for key in files
        ]
        rows += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)]
        count = len(files) + len(folders)
        return _xml("ListBucketResult", f"<KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>{''.join(rows)}")

    def _put(self, content: bytes) -> Answer:
        if "partNumber" in self.query:
            self.server.parts[self.query["uploadId"]][int(self.query["partNumber"])] = content
        else:
            self._objects[self.key] = content
        return 200, b"", {"ETag": _tag(content)}

    def _begin_upload(self, _: bytes) -> Answer:
        upload = f"upload-{len(self.server.parts) + 1}"
        self.server.parts[upload] = {}
        return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")

    def _end_upload(self, _: bytes) -> Answer:
        parts = self.server.parts.pop(self.query["uploadId"])
        self._objects[self.key] = b"".join(parts[number] for number in sorted(parts))
        return _xml("CompleteMultipartUploadResult", f"<ETag>{_tag(self._objects[self.key])}</ETag>")

    def _delete(self, _: bytes) -> Answer:
        self._objects.pop(self.key, None)
        return 204, b"", {}

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b"".join(self._chunks())
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return _unchunked(content) if "aws-chunked" in self.headers.get("Content-Encoding", "") else content

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def _unchunked(content: bytes) -> bytes:
    """The content of the chunks. Trailers contain only checksums."""
    found = []
    while True:
        head, _, content = content.partition(b"\r\n")
        size = int(head.partition(b";")[0], 16)
        if not size:
            return b"".join(found)
        found.append(content[:size])
        content = content[size + 2 :]


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def _xml(name: str, inner: str) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inner}</{name}>'.encode()
    return 200, body, {"Content-Type": "application/xml"}
