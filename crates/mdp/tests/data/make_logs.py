"""Writes the logs of `evaluation/log/tests.rs`: the same three episodes by pandas (snappy), Polars (zstd, lists) and PyArrow
(gzip, data pages of version 2, two groups of rows). Needs pandas, polars and pyarrow."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

log = dict(
    episode=[0, 0, 0, 1, 1, 2],
    step=[0, 1, 2, 0, 1, 0],
    state=[0, 1, 0, 2, 1, 1],
    action=[1, 0, 1, 0, 1, 1],
    reward=[0.5, -1.25, 2.0, 0.0, 0.75, 1.5],
    done=[False, False, True, False, True, True],
    next_state=[1, 0, 2, 1, 1, 0],
)
pd.DataFrame(log | dict(note=["a", "b", None, "d", "e", "f"])).to_parquet("log-pandas.parquet")
lists = {name: [[float(x), x / 4] for x in log[column]] for name, column in
         [("observation", "state"), ("next_observation", "next_state")]}
types = dict(episode=pl.UInt32, step=pl.Int16, action=pl.UInt8, reward=pl.Float32)
columns = {name: pl.Series(log[name], dtype=types.get(name)) for name in ["episode", "step", "action", "reward", "done"]}
pl.DataFrame(columns | lists).write_parquet("log-polars.parquet")
options = dict(compression="gzip", data_page_version="2.0", row_group_size=4, use_dictionary=False)
pq.write_table(pa.table(log), "log-pyarrow.parquet", **options)
