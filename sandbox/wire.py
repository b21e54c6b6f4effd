"""What the stream's messages look like on the wire: MessagePack or JSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgpack  # type: ignore[import-untyped]
import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

MSGPACK = "application/msgpack"

Frame = Mapping[str, Any]


class SyntaxProblemError(Exception):
    """A frame that is no object of the codec."""


class Wire:
    """One connection's codec, chosen by the handshake's ``Content-Type``.

    MessagePack goes in binary frames with times as timestamp extensions, JSON in text frames with
    times as RFC 3339. A client may send either kind of frame.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._packed = socket.headers.get("content-type", "").startswith(MSGPACK)

    async def send(self, frames: Sequence[Frame]) -> None:
        """Send some messages as one array."""
        if self._packed:
            await self._socket.send_bytes(encode(frames, packed=True))
        else:
            await self._socket.send_text(encode(frames, packed=False).decode())

    async def receive(self) -> Frame:
        """The next message.

        Raises:
            SyntaxProblemError: It cannot be read.
            WebSocketDisconnect: There is none.
        """
        event = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1005))
        try:
            content: Any
            if event.get("bytes") is not None:
                content = _read_bytes(event["bytes"], packed=self._packed)
            else:
                content = orjson.loads(event.get("text") or "")
        except ValueError:
            raise SyntaxProblemError from None
        if not isinstance(content, dict):
            raise SyntaxProblemError
        return content


def encode(frames: Sequence[Frame], *, packed: bool) -> bytes:
    """The text or bytes of an array of messages; ``t`` is a datetime, everything else is plain."""
    if packed:
        return bytes(msgpack.packb([_stamped(frame) for frame in frames]))
    return orjson.dumps(list(frames), option=orjson.OPT_UTC_Z)


def _stamped(frame: Frame) -> Frame:
    moment = frame.get("t")
    if isinstance(moment, datetime):
        return {**frame, "t": msgpack.Timestamp(int(moment.timestamp()), moment.microsecond * 1000)}
    return frame


def _read_bytes(content: bytes, *, packed: bool) -> Any:
    if not packed:
        return orjson.loads(content)
    try:
        return msgpack.unpackb(content)
    except (msgpack.UnpackException, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def utc(seconds: float) -> datetime:
    """An instant as a time that the wire knows."""
    return datetime.fromtimestamp(seconds, UTC)
