"""Writes authnb/demo/resource/measurements.parquet with DuckDB: ``python tests/demo/parquet_file.py``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import duckdb

import authnb.demo.resource
from authnb.demo.resource.data import measurements

FILE = Path(str(authnb.demo.resource.__file__)).with_name("measurements.parquet")


def write(path: Path) -> None:
    """Write all measurements, with times in UTC."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
        rows = Path(folder, "rows.json")
        rows.write_text(json.dumps([row.as_json for row in measurements()]), encoding="utf-8")
        database.execute(
            f"""copy (
                select station, "time"::timestamptz as "time", pm25, no2, o3, temperature
                from read_json('{rows}', columns = {{station: 'varchar', "time": 'varchar', pm25: 'double',
                                                    no2: 'double', o3: 'double', temperature: 'double'}})
            ) to '{path}' (format parquet, compression zstd)"""  # noqa: S608 - paths of our own
        )


if __name__ == "__main__":
    write(FILE)
