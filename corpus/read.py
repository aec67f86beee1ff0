"""From a path, a folder, a pattern or bytes to documents.

What cannot be read is given as the error that says why, in its place among the documents: the
others go on, and the caller decides what an error is worth.
"""

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from corpus.blocks import Content
from corpus.clean import clean, has_han
from corpus.document import Document
from corpus.encoding import declared_charset, decode, kind_of_binary
from corpus.errors import UnreadableSourceError
from corpus.structure import compose

MAX_BYTES = 100_000_000

_KINDS = {
    ".htm": "html",
    ".html": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".pdf": "pdf",
    ".docx": "docx",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
SUFFIXES = tuple(_KINDS)
"""Suffixes of the files that are read, in lower case."""
