"""Encrypted documents: the standard security handler with RC4 and AES-256, and a handler that nobody knows.

Algorithms: ISO 32000-1, section 7.6.3 (revision 3); Adobe Supplement to ISO 32000, ExtensionLevel 3 (revision 5);
FIPS 197.
Keys and initial vectors are fixed: these protect nothing, and the bytes are the same each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tests.documents.writer import (
    Page,
    Writer,
    document,
    lines_of_text,
    reference,
    stream_body,
)

_ID = b"ndfd test file 1"
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_PERMISSIONS = -4
_TEXT = "What was locked away"


def encrypted_rc4(user_password: str = "user", owner_password: str = "owner", text: str = _TEXT) -> bytes:
    """RC4 with 128 bits (V 2, R 3). An empty `user_password` makes a document that opens without asking."""
    owner_key = _padded(owner_password)
    for _ in range(51):
        owner_key = hashlib.md5(owner_key).digest()
    owner = _padded(user_password)
    for step in range(20):
        owner = _rc4(bytes(byte ^ step for byte in owner_key), owner)
    key = _padded(user_password) + owner + _PERMISSIONS.to_bytes(4, "little", signed=True) + _ID
    for _ in range(51):
        key = hashlib.md5(key).digest()
    user = hashlib.md5(_PADDING + _ID).digest()
    for step in range(20):
        user = _rc4(bytes(byte ^ step for byte in key), user)

    def lock(number: int, data: bytes) -> bytes:
        return _rc4(hashlib.md5(key + number.to_bytes(3, "little") + bytes(2)).digest(), data)

    return _locked(
        text,
        f"/V 2 /R 3 /Length 128 /O <{owner.hex()}> /U <{(user + bytes(16)).hex()}>",
        lock,
    )


def encrypted_aes256(user_password: str = "user", owner_password: str = "owner", text: str = _TEXT) -> bytes:
    """AES with 256 bits (V 5, R 5)."""
    key = hashlib.sha256(b"a file key that is no secret").digest()

    def entry(password: str, extra: bytes, salts: bytes) -> tuple[bytes, bytes]:
        """The verifier (/U or /O) and the file key wrapped for that password (/UE or /OE)."""
        secret, (check, wrap) = password.encode(), (salts[:8], salts[8:])
        verifier = hashlib.sha256(secret + check + extra).digest() + check + wrap
        return verifier, _aes_cbc(hashlib.sha256(secret + wrap + extra).digest(), bytes(16), key)

    user, user_key = entry(user_password, b"", b"usr-chk1usr-wrp1")
    owner, owner_key = entry(owner_password, user, b"own-chk1own-wrp1")
    permissions = _PERMISSIONS.to_bytes(4, "little", signed=True) + b"\xff\xff\xff\xffTadb1234"
    perms = _aes_cbc(key, bytes(16), permissions)

    def lock(number: int, data: bytes) -> bytes:
        vector, padding = hashlib.md5(b"%d" % number).digest(), 16 - len(data) % 16
        return vector + _aes_cbc(key, vector, data + bytes([padding]) * padding)

    return _locked(
        text,
        f"/V 5 /R 5 /Length 256 /O <{owner.hex()}> /OE <{owner_key.hex()}> /U <{user.hex()}> /UE <{user_key.hex()}> "
        f"/Perms <{perms.hex()}> /CF << /StdCF << /CFM /AESV3 /AuthEvent /DocOpen /Length 32 >> >> "
        "/StmF /StdCF /StrF /StdCF",
        lock,
    )


def unknown_security_handler() -> bytes:
    """Encrypted by a handler that no reader has."""
    writer = Writer()
    handler = writer.add("<< /Filter /Acme.Vault /V 1 /R 2 >>")
    trailer = f"/Encrypt {reference(handler)} /ID [<{_ID.hex()}> <{_ID.hex()}>]"
    return document([Page(lines_of_text([_TEXT]))], writer=writer, trailer=trailer)


def _locked(text: str, entries: str, lock: Callable[[int, bytes], bytes]) -> bytes:
    """One page that shows `text`, its content stream passed through `lock` with the stream's object number."""
    writer = Writer()
    handler = writer.add(f"<< /Filter /Standard /P {_PERMISSIONS} {entries} >>")
    contents = writer.reserve()
    writer.put(contents, stream_body(lock(contents, lines_of_text([text]).encode("latin-1"))))
    trailer = f"/Encrypt {reference(handler)} /ID [<{_ID.hex()}> <{_ID.hex()}>]"
    return document([Page(contents=contents)], writer=writer, trailer=trailer)


def _padded(password: str) -> bytes:
    return (password.encode("latin-1") + _PADDING)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 255
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + state[i]) & 255
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) & 255])
    return bytes(out)


def _double(value: int) -> int:
    """Multiplication by x in the field of AES."""
    return (value << 1) ^ (0x11B if value & 0x80 else 0)


def _substitution_box() -> list[int]:
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= _double(p)  # times 3, a generator of the field
        q ^= q << 1  # divided by 3
        q ^= q << 2
        q ^= q << 4
        q &= 255
        if q & 0x80:
            q ^= 0x09
        rotations = [((q << shift) | (q >> (8 - shift))) & 255 for shift in range(5)]
        box[p] = rotations[0] ^ rotations[1] ^ rotations[2] ^ rotations[3] ^ rotations[4] ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


_BOX = _substitution_box()


def _round_keys(key: bytes) -> list[bytes]:
    """The 15 round keys of a 256-bit key."""
    words, factor = [key[i : i + 4] for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(_BOX[byte] for byte in word[1:] + word[:1])
            word, factor = bytes([word[0] ^ factor]) + word[1:], _double(factor)
        elif i % 8 == 4:
            word = bytes(_BOX[byte] for byte in word)
        words.append(_xor(words[i - 8], word))
    return [b"".join(words[i : i + 4]) for i in range(0, 60, 4)]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _mix(column: bytes) -> bytes:
    whole = column[0] ^ column[1] ^ column[2] ^ column[3]
    return bytes(column[i] ^ whole ^ _double(column[i] ^ column[(i + 1) % 4]) for i in range(4))


def _aes_cbc(key: bytes, vector: bytes, data: bytes) -> bytes:
    """AES-256 in CBC mode over whole blocks, without padding."""
    keys, out = _round_keys(key), []
    for start in range(0, len(data), 16):
        block = _xor(_xor(data[start : start + 16], vector), keys[0])
        for step, round_key in enumerate(keys[1:], 1):
            block = bytes(_BOX[block[(i + 4 * (i % 4)) % 16]] for i in range(16))
            if step < 14:
                block = b"".join(_mix(block[i : i + 4]) for i in range(0, 16, 4))
            block = _xor(block, round_key)
        vector = block
        out.append(block)
    return b"".join(out)
