"""Fuzz every parser at the door, guided by coverage: ``python tests/security/fuzz.py SECONDS [AT_A_TIME]``.

Prints how many inputs were tried at each; ends with 1 if one crashed or hung, and keeps that input.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from targets import TARGETS

LONGEST = 10  # seconds for one input; more is a hang


# What is worth putting anywhere, besides the words of the honest example
WORDS = [
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"NaN",
    b"[]",
    b"{}",
    b'""',
    b'"\\ud800"',
    b'"https://["',
    b"9" * 400,
]


def quoted(word: bytes) -> str:
    """A line of libFuzzer's dictionary."""
    return '"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in word))


def fuzz(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, until libFuzzer ends it."""
    import atheris  # noqa: PLC0415 - not to be had on every system

    for module in [name for name in sys.modules if name.split(".")[0] in {"authnb", "joserfc", "targets"}]:
        del sys.modules[module]  # to be loaded again, with instruments
    with atheris.instrument_imports(include=["authnb", "joserfc"]):
        import targets  # noqa: PLC0415 - only so instrumented
    target = getattr(targets, name)
    atheris.Setup([sys.argv[0], *arguments], lambda data: targets.tried(target, data))
    atheris.Fuzz()


def fuzzed(name: str, honest: bytes, seconds: str) -> tuple[int, str]:
    """How many inputs were tried, and what went wrong, if anything did."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder, "corpus"), Path(folder, "words")
        corpus.mkdir()
        Path(corpus, "honest").write_bytes(honest)
        words.write_text("".join(map(quoted, [*WORDS, *re.findall(rb'"[^"]*"|\w+', honest)])))
        options = {
            "max_total_time": seconds,
            "timeout": LONGEST,
            "max_len": 2048,
            "rss_limit_mb": 2048,
            "dict": words,
            "artifact_prefix": f"{tempfile.gettempdir()}/authnb-{name}-",
            "print_final_stats": 1,
        }
        command = [sys.executable, __file__, "--target", name, *(f"-{k}={v}" for k, v in options.items())]
        done = subprocess.run(
            [*command, str(corpus)], capture_output=True, text=True, errors="replace", check=False
        )
    count = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    trouble = "" if done.returncode == 0 and count else done.stdout[-1500:] + done.stderr[-3000:]
    return int(count[1]) if count else 0, trouble


def main(seconds: str, at_a_time: int) -> int:
    """Fuzz all targets."""
    names = [target.__name__ for target in TARGETS]
    troubles = []
    print(f"{seconds} seconds each\n\n| target | inputs tried | |\n| --- | --- | --- |", flush=True)
    with ThreadPoolExecutor(at_a_time) as pool:
        results = pool.map(fuzzed, names, TARGETS.values(), [seconds] * len(names))
        for name, (count, trouble) in zip(names, results, strict=True):
            print(f"| {name} | {count:,} | {'**failed**' if trouble else 'no crash, no hang'} |", flush=True)
            troubles += [f"\n{name}:\n{trouble}"] if trouble else []
    print("".join(troubles), end="")
    return 1 if troubles else 0


if __name__ == "__main__":
    if importlib.util.find_spec("atheris") is None:
        sys.exit("Not fuzzed: atheris has no wheel for this Python and system, or is not installed.")
    if sys.argv[1] == "--target":
        fuzz(sys.argv[2], sys.argv[3:])
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count() or 1))
