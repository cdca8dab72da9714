"""A PDF taken apart into its objects, as far as a fuzzer needs it, and put together again.

Not a reader: it finds what sound files hold, by looking for `N G obj`, and takes object streams apart, so that what is
written is a plain file whose every object can be changed (ISO 32000-1, sections 7.3 and 7.5).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field, replace

_OBJECT = re.compile(rb"(?<!\d)(\d{1,7})\s+(\d{1,5})\s+obj\b")
_STREAM = re.compile(rb"stream\r?\n")
_LENGTH = re.compile(rb"/Length\s+(\d+)(?:\s+\d+\s+R)?")
_REFERENCE_TO = rb"/%b\s+(\d+)\s+\d+\s+R"


@dataclass(frozen=True)
class Object:
    """One indirect object."""

    #: What stands before `stream`, or all of it; without /Length when there is a stream.
    head: bytes
    stream: bytes | None = None
    #: What /Length says; None: the truth.
    length: bytes | None = None

    def inflated(self) -> bytes | None:
        """The stream's content, when it is not compressed or deflated once; None otherwise."""
        if self.stream is None:
            return None
        if b"/Filter" not in self.head:
            return self.stream
        if not self.is_deflated():
            return None
        try:
            return zlib.decompressobj().decompress(self.stream, 1 << 22)
        except zlib.error:
            return None

    def is_deflated(self) -> bool:
        """Whether its one filter is FlateDecode."""
        return re.search(rb"/Filter\s*\[?\s*/FlateDecode\s*\]?\s*(/|>>|$)", self.head) is not None

    def with_content(self, content: bytes) -> Object:
        """The same with other content, deflated as before."""
        return replace(self, stream=zlib.compress(content, 1) if b"/Filter" in self.head else content)

    def written(self) -> bytes:
        """In PDF syntax."""
        if self.stream is None:
            return self.head
        length = b"/Length %b" % (self.length if self.length is not None else b"%d" % len(self.stream))
        head = self.head.rstrip()
        head = head[:-2] + length + b" >>" if head.endswith(b">>") else b"<< " + length + b" >>"
        return head + b"\nstream\n" + self.stream + b"\nendstream"


@dataclass
class Pdf:
    """The objects of a file by number, and its trailer."""

    objects: dict[int, Object]
    root: int
    #: Further entries of the trailer, in PDF syntax.
    trailer: bytes = b""
    version: bytes = b"1.7"
    #: Written behind the trailer.
    tail: bytes = b""
    #: Numbers whose entries in the cross-reference table are wrong, with what stands there.
    offsets: dict[int, int] = field(default_factory=dict)

    def copy(self) -> Pdf:
        """One that can be changed."""
        return replace(self, objects=dict(self.objects), offsets=dict(self.offsets))

    def free_number(self) -> int:
        """Of no object."""
        return max(self.objects, default=0) + 1

    def add(self, item: Object) -> int:
        """A new object; its number."""
        number = self.free_number()
        self.objects[number] = item
        return number

    def written(self) -> bytes:
        """The file, with a table of cross-references that is right unless `offsets` says otherwise."""
        out = bytearray(b"%%PDF-%b\n%%\xe2\xe3\xcf\xd3\n" % self.version)
        size = self.free_number()
        rows = [b"0000000000 65535 f \n"] + [b"0000000000 00001 f \n"] * (size - 1)
        for number, item in self.objects.items():
            rows[number] = b"%010d 00000 n \n" % (self.offsets.get(number, len(out)) % 10**10)
            out += b"%d 0 obj\n%b\nendobj\n" % (number, item.written())
        table = b"xref\n0 %d\n%btrailer\n<< /Size %d /Root %d 0 R %b >>\n" % (
            size,
            b"".join(rows),
            size,
            self.root,
            self.trailer,
        )
        return bytes(out) + table + b"startxref\n%d\n%%%%EOF\n" % len(out) + self.tail


def parse(data: bytes) -> Pdf:
    """Takes a sound file apart; ValueError for one without a catalog."""
    objects: dict[int, Object] = {}
    position = 0
    while (match := _OBJECT.search(data, position)) is not None:
        item, position = _object(data, match.end())
        objects[int(match[1])] = item
    found = _trailer(data, objects)
    for number, item in list(objects.items()):
        if re.search(rb"/Type\s*/ObjStm\b", item.head):
            del objects[number]
            # A later revision of an object stands in the file itself.
            objects = {**_unpacked(item), **objects}
        elif re.search(rb"/Type\s*/XRef\b", item.head):
            del objects[number]
    root = re.search(_REFERENCE_TO % b"Root", found)
    if root is None or int(root[1]) not in objects:
        raise ValueError("no catalog")
    entries = [match[0] for key in (b"Info", b"Encrypt") if (match := re.search(_REFERENCE_TO % key, found))]
    entries += [match[0] for match in re.finditer(rb"/ID\s*\[[^\]]*\]", found)][:1]
    version = re.match(rb"%PDF-(\d\.\d)", data)
    return Pdf(objects, int(root[1]), b" ".join(entries), version[1] if version else b"1.7")


def _object(data: bytes, begin: int) -> tuple[Object, int]:
    """The object whose body begins there, and where what follows it begins."""
    end = data.find(b"endobj", begin)
    end = len(data) if end < 0 else end
    stream = _STREAM.search(data, begin, end)
    if stream is None:
        return Object(data[begin:end].strip()), end
    head = data[begin : stream.start()].strip()
    length = _LENGTH.search(head)
    stop = stream.end() + (int(length[1]) if length else 0)
    if not data[stop : stop + 12].lstrip().startswith(b"endstream"):
        stop = data.find(b"endstream", stream.end())
        stop = len(data) if stop < 0 else stop
    following = data.find(b"endobj", stop)
    content = data[stream.end() : stop]
    return Object(_LENGTH.sub(b"", head, count=1), content), len(data) if following < 0 else following


def _trailer(data: bytes, objects: dict[int, Object]) -> bytes:
    """Whatever may say where the catalog is, the last word first."""
    dictionaries = [data[match.end() : match.end() + 4096] for match in re.finditer(rb"\btrailer\b", data)]
    dictionaries += [item.head for item in objects.values() if re.search(rb"/Type\s*/XRef\b", item.head)]
    return b"\n".join(reversed(dictionaries))


def _unpacked(item: Object) -> dict[int, Object]:
    content = item.inflated()
    first = re.search(rb"/First\s+(\d+)", item.head)
    if content is None or first is None:
        return {}
    numbers = [int(word) for word in content[: int(first[1])].split()]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    ends = [offset for _, offset in pairs[1:]] + [len(content)]
    return {
        number: Object(content[int(first[1]) + offset : int(first[1]) + end].strip())
        for (number, offset), end in zip(pairs, ends, strict=True)
    }
