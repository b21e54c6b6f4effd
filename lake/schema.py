"""What the lake stores: names, types and units of every table, and the rules a bar must keep.

All times are UTC. ``timestamp`` is the opening of a bar, which is known one timeframe later;
``recorded_at`` says when the lake learnt it. Prices are in USD per share, volume in shares.
"""

import re

import polars as pl

from lake.errors import SymbolError

UTC_TIME = pl.Datetime("us", "UTC")

BAR_VALUES: tuple[str, ...] = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trade_count",
    "vwap",
)

#: What a source hands in, one row a bar.
BAR_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "timestamp": UTC_TIME,
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),  # DOUBLE: fractional shares and crypto
        "trade_count": pl.Int64(),  # null where the source does not count
        "vwap": pl.Float64(),  # null where the source does not say
    }
)

#: A bar that breaks one of these is impossible: it goes to ``quarantine`` with the rule's name.
#: Each rule is true for a good bar; null (a value is absent) breaks it. When a bar may open is its
#: dataset's affair.
BAR_RULES: dict[str, pl.Expr] = {
    "the timestamp can be read": pl.col("timestamp").is_not_null(),
    "prices are finite": pl.all_horizontal(pl.col("open", "high", "low", "close").is_finite()),
    "prices are positive": pl.min_horizontal("open", "high", "low", "close") > 0,
    "low is not above high": pl.col("low") <= pl.col("high"),
    "volume is finite": pl.col("volume").is_finite(),
    "volume is not negative": pl.col("volume") >= 0,
    "trade count is not negative": pl.col("trade_count").fill_null(0) >= 0,
    "vwap is finite": pl.col("vwap").fill_null(0.0).is_finite(),
}

#: Odd bars that real history has are stored, with these bits in ``flags``.
BAR_FLAGS: dict[int, tuple[str, pl.Expr]] = {
    1: ("open outside the range", ~pl.col("open").is_between(pl.col("low"), pl.col("high"))),
    2: ("close outside the range", ~pl.col("close").is_between(pl.col("low"), pl.col("high"))),
    4: (
        "vwap outside the range",
        ~pl.col("vwap").is_between(pl.col("low"), pl.col("high")).fill_null(value=True),
    ),
    8: ("no volume", pl.col("volume") == 0),
}

_BAR_COLUMNS = """
    source VARCHAR NOT NULL, symbol VARCHAR NOT NULL, timestamp TIMESTAMPTZ NOT NULL,
    open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,
    volume DOUBLE, trade_count BIGINT, vwap DOUBLE,
    flags INTEGER, recorded_at TIMESTAMPTZ NOT NULL"""

#: Every table of the lake, with the comment SQL users see.
TABLES: dict[str, tuple[str, str]] = {
    "bars_1m": (
        _BAR_COLUMNS,
        "1-minute bars, raw, the best value known; key: source, symbol, timestamp (the opening, UTC)",
    ),
    "bars_live": (
        _BAR_COLUMNS,
        "live 1-minute bars that upkeep has not moved into bars_1m yet; `bars` shows both, no key is in both",
    ),
    "bars_daily": (
        _BAR_COLUMNS,
        "the provider's own daily bars, raw, no roll-up of the minutes; timestamp is midnight in New York, in UTC",
    ),
    "bar_revisions": (
        f"dataset VARCHAR NOT NULL, {_BAR_COLUMNS}, superseded_at TIMESTAMPTZ NOT NULL, kind VARCHAR NOT NULL",
        "values that bars had before: kind is 'corrected' or 'withdrawn'",
    ),
    "coverage": (
        """dataset VARCHAR NOT NULL, source VARCHAR NOT NULL, symbol VARCHAR NOT NULL,
        "start" TIMESTAMPTZ NOT NULL, "end" TIMESTAMPTZ NOT NULL, recorded_at TIMESTAMPTZ NOT NULL""",
        "what was fetched completely: start is inside, end is outside the interval (UTC)",
    ),
    "changes": (
        """"commit" BIGINT NOT NULL, source VARCHAR NOT NULL, symbol VARCHAR NOT NULL, session DATE NOT NULL,
        kind VARCHAR NOT NULL, recorded_at TIMESTAMPTZ NOT NULL""",
        "which sessions each commit touched: kind is new, corrected, withdrawn or actions",
    ),
    "sessions": (
        """session_date DATE NOT NULL, pre_open TIMESTAMPTZ NOT NULL, "open" TIMESTAMPTZ NOT NULL,
        "close" TIMESTAMPTZ NOT NULL, post_close TIMESTAMPTZ NOT NULL, half_day BOOLEAN NOT NULL""",
        "NYSE sessions, times in UTC: extended hours from pre_open, regular hours open to close",
    ),
    "quarantine": (
        """dataset VARCHAR NOT NULL, source VARCHAR NOT NULL, symbol VARCHAR, timestamp TIMESTAMPTZ,
        open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE, trade_count BIGINT, vwap DOUBLE,
        rule VARCHAR NOT NULL, job_id VARCHAR, recorded_at TIMESTAMPTZ NOT NULL""",
        "impossible bars, with the rule each breaks",
    ),
    "corporate_actions": (
        """source VARCHAR NOT NULL, action_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, kind VARCHAR NOT NULL,
        ex_date DATE NOT NULL, process_date DATE, ratio DOUBLE, amount DOUBLE, details VARCHAR, recorded_at TIMESTAMPTZ NOT NULL,
        superseded_at TIMESTAMPTZ""",
        "ratio: new shares per old; amount: USD per share; superseded_at is null for what holds now",
    ),
    "series": (
        "dataset VARCHAR NOT NULL, source VARCHAR NOT NULL, symbol VARCHAR NOT NULL",
        "which source has which symbol",
    ),
    "gap_scans": (
        """dataset VARCHAR NOT NULL, source VARCHAR NOT NULL, symbol VARCHAR NOT NULL, session_date DATE NOT NULL,
        expected BIGINT NOT NULL, present BIGINT NOT NULL, not_fetched BIGINT NOT NULL, halted BIGINT NOT NULL,
        missing_at_provider BIGINT NOT NULL, no_trade BIGINT NOT NULL, unconfirmed BIGINT NOT NULL,
        holes STRUCT("start" TIMESTAMPTZ, "end" TIMESTAMPTZ, class VARCHAR, fetched BIGINT, asked BIGINT,
                     asked_at TIMESTAMPTZ)[] NOT NULL,
        recorded_at TIMESTAMPTZ NOT NULL""",
        "what each scan found of a session's regular minutes; the newest row holds, `absences` and `completeness` show it",
    ),
    "halts": (
        """source VARCHAR NOT NULL, symbol VARCHAR NOT NULL, "start" TIMESTAMPTZ NOT NULL, "end" TIMESTAMPTZ,
        reason VARCHAR, recorded_at TIMESTAMPTZ NOT NULL""",
        "trading halts as status messages told them, the newest row holds; end is when trading goes on, null while it does not",
    ),
    "instruments": (
        """source VARCHAR NOT NULL, instrument_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, valid_from DATE, valid_to DATE,
        asset_class VARCHAR, exchange VARCHAR, calendar VARCHAR, name VARCHAR, status VARCHAR, listed DATE, delisted DATE,
        first_seen DATE, last_seen DATE, recorded_at TIMESTAMPTZ NOT NULL, superseded_at TIMESTAMPTZ""",
        "papers and the tickers they had, from valid_from (inside) to valid_to (outside); superseded_at is null for what holds",
    ),
    "symbol_lists": (
        """name VARCHAR NOT NULL, valid_from DATE NOT NULL, symbols VARCHAR[] NOT NULL, recorded_at TIMESTAMPTZ NOT NULL""",
        "named lists of symbols as they were set; of two rows with one valid_from the newer holds, `list_members` shows them",
    ),
    "calendar_differences": (
        """source VARCHAR NOT NULL, session_date DATE NOT NULL, field VARCHAR NOT NULL, ours VARCHAR, theirs VARCHAR,
        recorded_at TIMESTAMPTZ NOT NULL, superseded_at TIMESTAMPTZ""",
        "where a provider's calendar is not ours: field is session, open or close (New York times)",
    ),
    "reference_reads": (
        """source VARCHAR NOT NULL, kind VARCHAR NOT NULL, "start" DATE NOT NULL, "end" DATE NOT NULL,
        row_count BIGINT NOT NULL, changed BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL""",
        "which days of a provider's actions, assets and calendar were read completely, and how many rows were news",
    ),
    "lake_settings": (
        "name VARCHAR NOT NULL, value VARCHAR NOT NULL",
        "settings SQL users share, like default_source",
    ),
    "pins": (
        "name VARCHAR NOT NULL, snapshot BIGINT NOT NULL, created_at TIMESTAMPTZ NOT NULL",
        "snapshots that expiry leaves alone, by name",
    ),
    "feature_definitions": (
        """feature_name VARCHAR NOT NULL, feature_group VARCHAR NOT NULL, version INTEGER NOT NULL, params VARCHAR NOT NULL,
        hash VARCHAR NOT NULL, code_reference VARCHAR NOT NULL, created_at TIMESTAMPTZ NOT NULL""",
        "every version of every feature; params is JSON",
    ),
    "feature_builds": (
        """build_id VARCHAR NOT NULL, feature_set VARCHAR NOT NULL, set_version VARCHAR NOT NULL, source VARCHAR NOT NULL,
        symbol VARCHAR NOT NULL, snapshot BIGINT NOT NULL, "start" TIMESTAMPTZ, "end" TIMESTAMPTZ, row_count BIGINT NOT NULL,
        column_count INTEGER NOT NULL, seconds DOUBLE NOT NULL, content_hash VARCHAR NOT NULL, adjust VARCHAR NOT NULL,
        params VARCHAR NOT NULL, created_at TIMESTAMPTZ NOT NULL""",
        "what was built from which snapshot; params is JSON (feature hashes among it)",
    ),
    "feature_sets": (
        "name VARCHAR NOT NULL, definition VARCHAR, created_at TIMESTAMPTZ NOT NULL",
        "feature sets of users as they were defined, the newest row of a name holds; definition is JSON, null if it was dropped",
    ),
    "models": (
        """model_id VARCHAR NOT NULL, name VARCHAR NOT NULL, primary_symbol VARCHAR NOT NULL, context_symbols VARCHAR[] NOT NULL,
        label VARCHAR NOT NULL, feature_set VARCHAR NOT NULL, set_version VARCHAR NOT NULL, snapshot BIGINT NOT NULL,
        params VARCHAR NOT NULL, metrics VARCHAR NOT NULL, path VARCHAR NOT NULL, file_hash VARCHAR NOT NULL,
        created_at TIMESTAMPTZ NOT NULL""",
        "trained models with their provenance; params and metrics are JSON, path is relative to the home",
    ),
    "model_tags": (
        "model_id VARCHAR NOT NULL, tag VARCHAR NOT NULL, created_at TIMESTAMPTZ NOT NULL",
        "what somebody thinks of a model: candidate, or champion of its label, primary symbol and feature set",
    ),
    "simulations": (
        """simulation_id VARCHAR NOT NULL, strategy VARCHAR NOT NULL, model_id VARCHAR, symbol VARCHAR NOT NULL,
        mode VARCHAR NOT NULL,
        "start" TIMESTAMPTZ NOT NULL, "end" TIMESTAMPTZ NOT NULL, snapshot BIGINT NOT NULL,
        params VARCHAR NOT NULL, metrics VARCHAR NOT NULL, orders_hash VARCHAR NOT NULL,
        state VARCHAR NOT NULL, error VARCHAR, created_at TIMESTAMPTZ NOT NULL""",
        "the trial ledger: every simulation ever run; params and metrics are JSON",
    ),
    "simulation_equity": (
        "simulation_id VARCHAR NOT NULL, timestamp TIMESTAMPTZ NOT NULL, equity DOUBLE NOT NULL, benchmark DOUBLE NOT NULL",
        "equity curves in USD, beside buy and hold",
    ),
    "simulation_orders": (
        """simulation_id VARCHAR NOT NULL, number INTEGER NOT NULL,
        decided_at TIMESTAMPTZ NOT NULL, filled_at TIMESTAMPTZ NOT NULL,
        side VARCHAR NOT NULL, shares DOUBLE NOT NULL, price DOUBLE NOT NULL, costs DOUBLE NOT NULL,
        symbol VARCHAR, purpose VARCHAR""",
        "filled orders of each simulation; price in USD per share, costs in USD",
    ),
    "searches": (
        """search_id VARCHAR NOT NULL, strategy VARCHAR NOT NULL, symbol VARCHAR NOT NULL, mode VARCHAR NOT NULL,
        "start" TIMESTAMPTZ NOT NULL, "end" TIMESTAMPTZ NOT NULL, snapshot BIGINT NOT NULL,
        params VARCHAR NOT NULL, metrics VARCHAR NOT NULL, state VARCHAR NOT NULL, error VARCHAR,
        created_at TIMESTAMPTZ NOT NULL""",
        "searches over parameters of a strategy; params and metrics are JSON",
    ),
    "search_trials": (
        """search_id VARCHAR NOT NULL, number INTEGER NOT NULL, strategy VARCHAR NOT NULL, params VARCHAR NOT NULL,
        sharpe DOUBLE, total_return DOUBLE, max_drawdown DOUBLE, trades INTEGER""",
        "every trial of each search; params is JSON",
    ),
}

#: Columns that a table has got since it was first made; null in rows that are older.
ADDED: dict[str, dict[str, str]] = {
    "simulation_orders": {"symbol": "VARCHAR", "purpose": "VARCHAR"},
}

#: How tables lie on disk. Few, large files: a file per symbol and day reads 45 times slower.
#: The source comes first, so that a file holds one series; daily bars are so few that one file holds
#: a year of all symbols.
PARTITIONS: dict[str, str] = {
    "bars_1m": 'source, symbol, year("timestamp")',
    "bars_daily": 'source, year("timestamp")',
}
SORTED: dict[str, str] = {
    "bars_1m": "timestamp",
    "bars_live": "symbol, timestamp",
    "bars_daily": "symbol, timestamp",
    "bar_revisions": "symbol, timestamp",
}

#: Tables that grow by a few rows a commit; their rows lie in the catalog itself.
LEDGERS: tuple[str, ...] = (
    "calendar_differences",
    "changes",
    "coverage",
    "feature_definitions",
    "gap_scans",
    "halts",
    "instruments",
    "lake_settings",
    "pins",
    "reference_reads",
    "series",
    "simulations",
    "symbol_lists",
)

_TICKER = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}", re.ASCII)


def check_symbol(symbol: str) -> str:
    """The ticker in capitals.

    Raises:
        SymbolError: No ticker looks like that (a path, a quote, nothing, too long).
    """
    ticker = symbol.strip().upper()
    if not _TICKER.fullmatch(ticker) or ".." in ticker or ticker.endswith("."):
        raise SymbolError(symbol)
    return ticker
