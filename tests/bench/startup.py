"""Startup times: imports, the link, a remembered sign-in."""

from __future__ import annotations

import subprocess
import tempfile
import time
from functools import partial
from typing import TYPE_CHECKING

from bench import remembered, signing_in
from bench.counted import Counted
from bench.kernel import seconds_to_link as seconds_in_kernel
from bench.measuring import Goal, Result, Sample, at_most, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Bench

# Libraries that validate an ID token, as authnb does
CHECK = ("authlib", "requests_oauth2client")

# The explanation for a missed goal
LINK = (
    "Beyond `import requests` it takes about 0.2 for authnb's own modules, half of that to make some 20 frozen "
    "dataclasses; 0.1 for `authlib.oauth2`, which makes the request; 0.1 for `dataclasses` itself; 0.05 for "
    "`http.server`. What redeems the code, sign-up, presets, plain views, locks, trusted tokens and the browser's "
    "opener load later or not at all. Not done: facts without dataclasses, which keep secrets out of every repr; it "
    "would save a script 11 ms for that module and 0.3 ms a class. Nor the request without Authlib."
)
PANEL = (
    "The others print a line; the panel takes ipywidgets and anywidget. They load while the provider is asked, which "
    "saves most where it is far away; here it answers at once."
)
REMEMBERED = (
    "Its session is an Authlib session, so that import, joserfc and cryptography with it, is the floor: 1.0 of Authlib "
    "by hand, which msal does not load. On top come authnb's modules (about 20 ms) and the cipher for the file (8 ms); "
    "the others' files are not encrypted. Tried: locks, listener and plain views load only where they are used."
)


def measure(bench: Bench) -> Result:
    """Imports, links and remembered sign-ins, each in new processes and in turn."""
    imports = interleaved(
        {code: partial(seconds, bench, code) for code in ("pass", "import requests", "import authnb")},
        bench.times(25),
    )
    with Counted() as demo, tempfile.TemporaryDirectory() as home:
        peers = [library for library, name in signing_in.PEERS.items() if bench.has(name)]
        runs: dict[str, Callable[[], float]] = {
            library: partial(signing_in.seconds_to_link, bench, demo, library)
            for library in ("nothing", "requests", *peers)
        }
        links = interleaved(runs, bench.times(25))
        cells = interleaved(
            {
                library: partial(seconds_in_kernel, bench, demo, library)
                for library in ("requests", "authnb_panel", *peers)
                if bench.has("ipykernel")
            },
            bench.times(5),
        )
        remembered.keep(bench, demo, home)
        demo.asked.clear()
        silent = interleaved(
            {
                library: partial(remembered.seconds_to_answer, bench, demo, library, home)
                for library, name in remembered.PEERS.items()
                if bench.has(name)
            },
            bench.times(15),
        )
    return Result(
        title="The way there",
        text=(
            "Milliseconds of a new process, whole, the provider on loopback in another; and, in a kernel that has "
            "started, of the first cell; links up to their line. `nothing` imports requests and prints a line, "
            "`requests` reads the metadata before: neither is a login. Ratios are to `requests` in the same round, for "
            "imports to `import requests`."
        ),
        head=("what", "who", "ms", "ratio"),
        rows=[
            *lines("import, whole process", imports, "import requests", bench),
            *lines("link, from a new process", links, "requests", bench),
            *lines("link, from the first cell", cells, "requests", bench),
            *lines("remembered: the API's answer, from a new process", silent, "authnb", bench),
        ],
        goals=[*goals(imports, links, cells, silent)],
        bars={named(library, bench): in_ms(sample) for library, sample in links.items()},
        unit="ms from the start of a process to its sign-in link",
    )


def goals(
    imports: dict[str, Sample],
    links: dict[str, Sample],
    cells: dict[str, Sample],
    silent: dict[str, Sample],
) -> list[Goal]:
    """The goals."""
    ratio = imports["import authnb"].over(imports["import requests"]).median
    bare, base, ours = (links[name].values for name in ("nothing", "requests", "authnb"))
    # The round trip: the time for reading the metadata, beyond the import
    beyond = Sample(tuple((our - (b - a)) / a for a, b, our in zip(bare, base, ours, strict=True)))
    return [
        at_most("`import authnb`, whole process, `import requests` = 1", 0.2, ratio),
        at_most(
            "link from a new process, without the round trip, `import requests` as a whole process = 1",
            1.25,
            (links["authnb"].median - links["requests"].median + links["nothing"].median)
            / imports["import requests"].median,
            why=LINK,
        ),
        at_most(
            "link from a new process, without the round trip, `import requests` up to a line = 1",
            1.25,
            beyond.median,
            why=LINK,
        ),
        *ahead("link from a new process", links, "authnb", CHECK),
        *(ahead("link from the first cell, panel", cells, "authnb_panel", CHECK, PANEL) if cells else ()),
        *(ahead("link from the first cell, text", cells, "authnb", CHECK, LINK) if cells else ()),
        *ahead("remembered sign-in in a new process", silent, "authnb", ("msal", "authlib"), REMEMBERED),
    ]


def ahead(
    what: str, samples: dict[str, Sample], ours: str, others: tuple[str, ...], why: str = ""
) -> list[Goal]:
    """The goal to be no slower than each of these."""
    found = {other: samples[ours].over(samples[other]).median for other in others if other in samples}
    return [at_most(f"{what}, {other} = 1", 1, ratio, why=why) for other, ratio in found.items()]


def seconds(bench: Bench, code: str) -> float:
    """Seconds of a process that runs this."""
    begin = time.perf_counter()
    subprocess.run([bench.python, "-c", code], check=True)
    return time.perf_counter() - begin


def in_ms(sample: Sample) -> Sample:
    """The sample in milliseconds."""
    return Sample(tuple(value * 1000 for value in sample.values))


def lines(what: str, samples: dict[str, Sample], base: str, bench: Bench) -> list[tuple[str, ...]]:
    """The rows of the table."""
    return [
        (
            what,
            named(name, bench),
            f"{in_ms(sample):.0f}",
            f"{sample.over(samples[base]):.2f}" if base in samples else "",
        )
        for name, sample in samples.items()
    ]


def named(library: str, bench: Bench) -> str:
    """The name in the table."""
    if library.startswith("authnb"):
        return library.replace("_", ", ")
    name = {**signing_in.PEERS, **remembered.PEERS}.get(library)
    return bench.version(name) if name else f"`{library}`"
