"""Processor seconds that ``authnb scan`` takes for 10 MB of notebook, and for lines made to be slow.

    python tests/bench/scan_speed.py

Each line is also scanned at half its length: a ratio near 2 means linear time.
"""

from __future__ import annotations

import json
import random
import string
import sys
import tempfile
import time
from pathlib import Path

from authnb.cli.scan import scan
from authnb.cli.secret_search import secrets_in

MEGABYTE = 1_000_000
REPEATED = (
    *(
        "token",
        "token=",
        "token='",
        'password="',
        "password: ",
        "token,",
        "%env token ",
        "a" * 59 + "password=",
        "key",
    ),
    *(
        "eyJ",
        "eyJ" + "a" * 12 + ".",
        "sk-",
        "sk-proj-" + "a" * 30,
        "-----BEGIN ",
        "://",
        "://a:b",
        "bearer ",
        "basic ",
    ),
    *(
        "cookie: a=b; ",
        "cookie",
        "a=b;",
        "auth=(",
        "-u a:",
        "&#",
        "&amp;",
        "\x1b[0",
        "\\n",
        "A" * 76 + "\n",
        "QUJD",
        "Q~",
    ),
    *(
        " ",
        "\t",
        "'",
        "\\",
        "a",
        "A",
        "0",
        "-",
        "_",
        ".",
        "%",
        "[",
        "{",
        "\u0130",
        "correct horse ",
        "token = 4pZ9vQmT7rXw2LkE8sBd ",
    ),
)


def notebook(size: int) -> dict[str, object]:
    """A notebook of about ``size`` characters: prose, code, tables, HTML and pictures."""
    words = random.Random(1)  # noqa: S311 - the same notebook each time, no secret
    code = (
        "df = load('measurements.csv')\nmodel.fit(df[['token_count', 'state']], epochs=10)  # fit the model\n"
    )
    cells: list[dict[str, object]] = []
    length = 0
    while length < size:
        numbers = "".join(
            f"{words.random():.4f} {words.randrange(9999):5d} {words.random():.4f}\n" for _ in range(400)
        )
        html = "".join(
            f"<tr><td>{words.random():.4f}</td><td>{words.randrange(9999)}</td></tr>\n" for _ in range(300)
        )
        picture = "".join(words.choices(string.ascii_letters + string.digits + "+/", k=4000))
        data = {
            "text/plain": numbers,
            "text/html": html,
            "image/png": picture,
            "application/json": {"values": numbers},
        }
        outputs = [{"output_type": "display_data", "data": data, "metadata": {}}]
        cells.append({"cell_type": "code", "source": code * 10, "metadata": {}, "outputs": outputs})
        length += len(json.dumps(cells[-1]))
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def seconds(text: str) -> float:
    """Seconds for one text."""
    began = time.process_time()
    for _ in secrets_in(text):
        pass
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "n.ipynb")
        path.write_text(json.dumps(notebook(10 * MEGABYTE)))
        began = time.process_time()
        found = scan(path)
        print(f"a notebook of 10 MB: {time.process_time() - began:.1f} s, {len(found)} findings")
    size = int(float(sys.argv[1]) * MEGABYTE) if len(sys.argv) > 1 else MEGABYTE
    rows = []
    for part in REPEATED:
        line = (part * (size // len(part) + 1))[:size]
        half, whole = seconds(line[: size // 2]), seconds(line)
        rows.append((whole, whole / half, part))
    for whole, ratio, part in sorted(rows, reverse=True):
        print(f"{whole:7.2f} s  x{ratio:4.1f}  {size / MEGABYTE:g} MB of {part[:40]!r}")


if __name__ == "__main__":
    main()
