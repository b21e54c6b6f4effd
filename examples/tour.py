# %% [markdown]
# # A tour of the lake
# Each `# %%` is a cell: VS Code, PyCharm and Jupytext open this file as a notebook, and
# `python examples/tour.py` runs it whole. It reads SPY from the lake in `BARLAKE_HOME` (`./data`);
# `barlake demo` makes one, `barlake ingest SPY --start 2024-11-01 --end 2024-11-08` fetches real bars.

# %%
from datetime import timedelta

import duckdb
import polars as pl

import lake
from lake.catalog import init_sql

SYMBOL = "SPY"
lk = lake.open()
lk.symbols()

# %% [markdown]
# ## Bars as polars, Arrow and a relation of DuckDB

# %%
minutes = lk.bars(SYMBOL)
newest = minutes["session_date"].max()
print(f"{minutes.height} minutes of {SYMBOL}, the newest session is {newest}")
minutes.tail(3)

# %%
lazy = lk.scan_bars(SYMBOL).filter(pl.col("is_regular"))
print("busiest minute:", lazy.select(pl.col("volume").max()).collect().item(), "shares")

# %%
table = lk.stream_bars(SYMBOL, newest, newest).read_all()
print(f"{table.num_rows} rows in Arrow, {table.nbytes} bytes")

# %% [markdown]
# ## Longer bars, anchored at the open of each session
# Pre-market, regular hours and after hours never mix; `vwap` is weighted by volume.

# %%
hours = lk.bars(SYMBOL, timeframe="1h", regular_only=True)
print(hours.select("timestamp", "open", "high", "low", "close", "volume", "vwap").tail(7))

# %% [markdown]
# ## Prices as traded, and in the shares and the money of today

# %%
raw, adjusted = (lk.bars(SYMBOL, timeframe="1d", adjust=adjust) for adjust in ("raw", "all"))
both = raw.select("session_date", "close").with_columns(adjusted=adjusted["close"])
print(both)

# %% [markdown]
# ## What was known then
# A correction replaces a bar; `as_of` still gives what the lake knew before it.

# %%
corrections = lk.revisions(SYMBOL)
print(f"{corrections.height} bars were corrected or withdrawn")
if corrections.height:
    before = corrections["superseded_at"].max() - timedelta(microseconds=1)
    then = lk.bars(SYMBOL, as_of=before)
    changed = then.join(minutes, on=["timestamp", "close"], how="anti")
    print(f"{changed.height} closes were others at {before}")

# %% [markdown]
# ## Nobody traded, or never fetched?

# %%
gaps, absent = lk.gaps(SYMBOL), lk.absent(SYMBOL)
print("not fetched:", gaps["minutes"].sum(), "minutes in", gaps["session_date"].to_list())
print("fetched, and nobody traded:", absent["absent"].sum(), "minutes")

# %% [markdown]
# ## The same in SQL, with the plain `duckdb` module
# `barlake sql --init -o lake.sql` writes the same text for `duckdb -init lake.sql`.

# %%
connection = duckdb.connect()
connection.execute(init_sql(lk.home))
connection.sql("SELECT name, comment, example FROM macros").show()

# %%
quarters = connection.sql(f"FROM bars_at('{SYMBOL}', '15 minutes', since := '{newest}')")
quarters.filter("is_regular").order("timestamp").limit(5).show()

# %%
opening = connection.execute(
    """SELECT session_date, arg_min(close, timestamp) AS first_quarter
       FROM bars_at($symbol, '15 minutes', adjust := 'all', regular_only := true)
       GROUP BY session_date ORDER BY session_date""",
    {"symbol": SYMBOL},
).pl()
print(opening)

# %%
connection.close()
lk.close()
