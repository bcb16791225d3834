"""File control parameters: what CREATE FILE is told about a directory or file (cos 2.2, 2.3)."""

from sscard.iso.tlv import encode
from sscard.perso.model import Directory, File
from sscard.spec.codes import (
    ACCESS_NEVER,
    DIRECTORY_KIND,
    KEY_FILE_FID,
    KEY_FILE_KIND,
    KEY_RECORD_SIZE,
)

__all__ = ["directory_fcp", "file_fcp", "key_file_fcp"]

_DATA_CODING = 0x21


def directory_fcp(directory: Directory, *, is_ddf: bool) -> bytes:
    """Return the FCP of the MF, a DDF or an ADF; a DDF also names its domain and suite."""
    objects = [
        encode(0x82, bytes((DIRECTORY_KIND,))),
        encode(0x83, directory.fid.to_bytes(2, "big")),
        encode(0x84, directory.df_name),
        encode(0x81, directory.quota.to_bytes(3, "big")),
        encode(0x86, _words(directory.create, directory.delete, directory.admin)),
    ]
    if directory.dir_sfi:
        objects.append(encode(0x88, bytes((directory.dir_sfi << 3,))))
    if is_ddf:
        domain = encode(0xC0, bytes((directory.domain,)))
        objects.append(encode(0xA5, domain + encode(0xC1, bytes((directory.suite,)))))
    return encode(0x62, b"".join(objects))


def key_file_fcp(directory: Directory) -> bytes:
    """Return the FCP of a directory's key EF."""
    descriptor = _descriptor(KEY_FILE_KIND, KEY_RECORD_SIZE, directory.key_slots)
    return encode(
        0x62,
        encode(0x82, descriptor)
        + encode(0x83, KEY_FILE_FID.to_bytes(2, "big"))
        + encode(0x86, _words(directory.key_add, ACCESS_NEVER)),
    )


def file_fcp(file: File) -> bytes:
    """Return the FCP of a working or internal EF."""
    objects = [
        encode(0x82, _descriptor(file.kind, file.record_max, file.record_count)),
        encode(0x83, file.fid.to_bytes(2, "big")),
        encode(0x88, bytes((file.sfi << 3,))),
        b"" if file.fixed_length else encode(0x80, file.capacity.to_bytes(2, "big")),
        encode(0x86, _words(file.read, file.update, file.append) + _protection(file)),
    ]
    return encode(0x62, b"".join(objects))


def _descriptor(kind: int, record_max: int, record_count: int) -> bytes:
    """Return tag 82: the kind alone, or with data coding, record length and number."""
    if not record_max:
        return bytes((kind,))
    return bytes((kind, _DATA_CODING)) + record_max.to_bytes(2, "big") + bytes((record_count,))


def _words(*words: int) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words)


def _protection(file: File) -> bytes:
    return bytes((file.sm_read, file.sm_update))
