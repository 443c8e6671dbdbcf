"""Keeps of ICU's data what English needs: of 34 MB that Foundation brings, 4 MB.

usage: less_icu.py DATA OUTPUT

Left out are other languages (ICU falls back to its root locale), converters of old character sets,
dictionaries for line breaks and transliteration. The format is ICU's `.dat`: a header that begins
with its length, then a table of contents, in order of names: their number, and for each the offsets of
name and item from the beginning of the table.
"""

import re
import struct
import sys

LANGUAGE = re.compile(r"(?!en|res_index)[a-z]{2,3}(_\w+)?\.res")


def is_kept(name: str) -> bool:
    folder, _, item = name.split("/", 1)[1].rpartition("/")
    return folder != "translit" and not item.endswith((".cnv", ".dict")) and not LANGUAGE.fullmatch(item)


def filtered(data: bytes) -> bytes:
    start, = struct.unpack_from("<H", data)
    if data[2:4] != b"\xda\x27" or data[12:16] != b"CmnD":
        sys.exit("less_icu: this is no package of ICU data")
    table = data[start:]
    count, = struct.unpack_from("<I", table)
    entries = [struct.unpack_from("<II", table, 4 + 8 * index) for index in range(count)]
    ends = [begin for _, begin in entries[1:]] + [len(table)]
    names = [table[at:table.index(b"\0", at)].decode() for at, _ in entries]
    kept = [(name.encode() + b"\0", table[begin:end])
            for name, (_, begin), end in zip(names, entries, ends) if is_kept(name)]

    name_at = 4 + 8 * len(kept)
    item_at = padded(name_at + sum(len(name) for name, _ in kept))
    contents, texts, items = struct.pack("<I", len(kept)), b"", b""
    for name, item in kept:
        contents += struct.pack("<II", name_at + len(texts), item_at + len(items))
        texts += name
        items += item.ljust(padded(len(item)), b"\0")
    return data[:start] + (contents + texts).ljust(item_at, b"\0") + items


def padded(length: int) -> int:
    return (length + 15) // 16 * 16


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as source:
        result = filtered(source.read())
    with open(sys.argv[2], "wb") as output:
        output.write(result)
