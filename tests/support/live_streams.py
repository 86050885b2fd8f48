"""Servers of live streams on the loopback interface: MPEG-TS over HTTP, and over RTSP."""

from __future__ import annotations

import http.server
import io
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av

_TS_PACKET = 188
_READER_GONE = (BrokenPipeError, ConnectionError, av.error.FFmpegError)
_PACKETS_PER_RTP = 7
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 33\r\nc=IN IP4 127.0.0.1\r\na=control:track\r\n"
)


class _Sink(io.RawIOBase):
    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        data = bytes(content)  # type: ignore[call-overload]
        self._write(data)
        return len(data)


def send_for_ever(video: Path, write: Callable[[bytes], object], seconds: float | None) -> None:
    """Write a video again and again as one MPEG-TS, or only so many seconds of it."""
    base = 0
    with av.open(_Sink(write), "w", format="mpegts") as out:
        target = None
        while True:
            with av.open(str(video)) as file:
                stream = file.streams.video[0]
                if target is None:
                    target = out.add_stream_from_template(stream)
                last = 0
                for packet in file.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 0))
                    packet.pts += base
                    packet.dts += base
                    assert stream.time_base is not None
                    if seconds is not None and packet.dts * stream.time_base > seconds:
                        return
                    packet.stream = target
                    out.mux(packet)
                base += last


@contextmanager
def serve_http(video: Path, seconds: float | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve an endless stream, or one that breaks off; yields its address and the requests."""
    requests: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            with suppress(*_READER_GONE):
                send_for_ever(video, self.wfile.write, seconds)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/live", requests
        server.shutdown()


@contextmanager
def serve_rtsp(video: Path) -> Iterator[str]:
    """Serve an endless stream by RTSP, with RTP packets inside its connection."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while True:
                lines = [line.strip() for line in iter(self.rfile.readline, b"\r\n") if line]
                if not lines or not lines[0]:
                    return
                method, sequence = lines[0].split()[0].decode(), "0"
                for line in lines[1:]:
                    if line.lower().startswith(b"cseq:"):
                        sequence = line.partition(b":")[2].strip().decode()
                self._reply(method, sequence)
                if method == "PLAY":
                    with suppress(*_READER_GONE):
                        self._play()
                    return

        def _reply(self, method: str, sequence: str) -> None:
            headers, body = {
                "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n", ""),
                "DESCRIBE": (
                    f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n",
                    _SDP,
                ),
                "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
                "PLAY": ("Session: 1\r\n", ""),
            }.get(method, ("Session: 1\r\n", ""))
            text = f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{headers}\r\n{body}"
            self.wfile.write(text.encode())

        def _play(self) -> None:
            unsent = bytearray()
            number = 0
            size = _TS_PACKET * _PACKETS_PER_RTP

            def write(data: bytes) -> None:
                nonlocal number
                unsent.extend(data)
                while len(unsent) >= size:
                    rtp = struct.pack(">BBHII", 0x80, 33, number % 65536, number * 90, 1)
                    body = rtp + bytes(unsent[:size])
                    self.wfile.write(struct.pack(">cBH", b"$", 0, len(body)) + body)
                    del unsent[:size]
                    number += 1

            send_for_ever(video, write, None)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f"rtsp://127.0.0.1:{server.server_address[1]}/stream"
        server.shutdown()
