"""What is wrong with a document: its own fault, and the same each time."""

from __future__ import annotations

from ndfd.errors.base import EX_DATAERR, NdfdError


class DocumentError(NdfdError):
    """The document's own fault: trying again gives the same answer."""

    code = "document"
    exit_status = EX_DATAERR
    http_status = 422
    default_hint = "check the document with the program that made it"


class EmptyDocument(DocumentError):
    """The document has no bytes."""

    code = "document-empty"
    default_hint = "the file has 0 bytes: check the program that wrote it or the transfer that brought it"


class UnsupportedFormat(DocumentError):
    """The bytes are not of a format that ndfd reads."""

    code = "document-unsupported"
    http_status = 415
    default_hint = "ndfd reads PDF; convert the document to PDF first"


class DamagedDocument(DocumentError):
    """The bytes begin like a supported format, but the engine cannot open them: truncated or corrupt."""

    code = "document-damaged"
    default_hint = "the file may be truncated: fetch or export it again"


class PasswordRequired(DocumentError):
    """The document is encrypted and no password was given."""

    code = "document-password-required"
    default_hint = "give the password with --password-file FILE"


class PasswordWrong(DocumentError):
    """The document is encrypted and the password given does not open it."""

    code = "document-password-wrong"
    default_hint = "check the first line of the password file: it is used without its line ending"


class UnsupportedEncryption(DocumentError):
    """The document is encrypted with a scheme that the engine does not know."""

    code = "document-encryption-unsupported"
    default_hint = "save the document without encryption, or with the standard password security handler"


class NoPages(DocumentError):
    """The document opens and has no pages."""

    code = "document-no-pages"
    default_hint = "the document has 0 pages: export it again"


class DocumentTooLarge(DocumentError):
    """The document is larger than the daemon's configured limit."""

    code = "document-too-large"
    http_status = 413
    default_hint = "pass the document as a descriptor rather than inline, or raise [document] max_size"


class ConversionTimeout(DocumentError):
    """The conversion did not end before its deadline; its worker was killed."""

    code = "conversion-timeout"
    http_status = 504
    default_hint = "give more time with --deadline, or split the document"


class ConversionOutOfMemory(DocumentError):
    """The conversion hit its worker's memory limit."""

    code = "conversion-out-of-memory"
    default_hint = "raise [swarm] worker_memory, or split the document"


class ConversionCpuLimit(DocumentError):
    """The conversion used up the CPU time that one may take; its worker was ended."""

    code = "conversion-cpu-limit"
    http_status = 504
    default_hint = "raise [swarm] worker_cpu, or split the document"


class DocumentKillsWorkers(DocumentError):
    """The document ended its worker, and then a fresh one as well: it is not tried again."""

    code = "document-kills-workers"
    default_hint = "report the document; to read it nevertheless, open it in another program and print it to a new PDF"
