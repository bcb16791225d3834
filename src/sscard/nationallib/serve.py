"""The calls of the C library: their frames, their text, their reader.

A request is a length and zero-terminated strings in GB18030, the function's name first; an
answer a code, a length and text. Numbers are 32 bits, big-endian (see `sscard_national.c`).
"""

import inspect
import socket
import struct
from collections.abc import Mapping
from typing import Self

from sscard.errors import SscardError
from sscard.nationallib.config import configuration, equipment
from sscard.terminal.national import Answer, Code, NationalReader, describe

__all__ = ["ENCODING", "FUNCTIONS", "Calls", "serve"]

ENCODING = "gb18030"
_SIZE = struct.Struct(">I")
_HEAD = struct.Struct(">iI")

FUNCTIONS: Mapping[str, tuple[type, ...]] = {
    name: tuple(
        parameter.annotation
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    )
    for name, function in vars(NationalReader).items()
    if name.startswith("i")
}
"""The functions by name, with the types of their arguments: `int` or `str`."""


class Calls:
    """A reader made from an environment, called by name and text.

    A configuration that cannot be used is told in every answer (-5).
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._wrong = ""
        self._reader: NationalReader | None = None
        try:
            self._reader = NationalReader(equipment(configuration(environment)))
        except SscardError as error:
            self._wrong = str(error)

    def __call__(self, name: str, *arguments: str) -> Answer:
        """Call a function: -13 for one there is not, -14 for arguments it does not take."""
        if self._reader is None:
            return Answer(Code.LIBRARY, f"{describe(Code.LIBRARY)}：{self._wrong}")
        if name not in FUNCTIONS:
            return _refused(Code.UNSUPPORTED)
        kinds = FUNCTIONS[name]
        if len(arguments) != len(kinds):
            return _refused(Code.ARGUMENT)
        try:
            values = [kind(text) for kind, text in zip(kinds, arguments, strict=True)]
        except ValueError:
            return _refused(Code.ARGUMENT)
        answer: Answer = getattr(self._reader, name)(*values)
        return answer

    def frame(self, request: bytes) -> bytes:
        """Answer one request without its length."""
        try:
            name, *arguments = request.decode(ENCODING).split("\0")[:-1]
        except UnicodeDecodeError:
            answer = _refused(Code.INPUT_ILLEGAL)
        else:
            answer = self(name, *arguments)
        text = answer.out.encode(ENCODING)
        return _HEAD.pack(answer.code, len(text)) + text

    def close(self) -> None:
        """Let the card go."""
        if self._reader is not None:
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(line: socket.socket, calls: Calls) -> None:
    """Answer requests until the other end closes."""
    while (head := _receive(line, _SIZE.size)) is not None:
        request = _receive(line, *_SIZE.unpack(head))
        if request is None:
            return
        line.sendall(calls.frame(request))


def _receive(line: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = line.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def _refused(code: Code) -> Answer:
    return Answer(code, describe(code))
