"""What adjusting divides older prices by, in SQL: the twin of :mod:`lake.adjustment` for SQL users.

Actions are chosen as :func:`lake.actions.known_actions` chooses them, closes as
:func:`lake.closes.closes` does; tests hold the two to each other. The SQL stands in macros, so what
a macro's parameters say comes in as SQL, and every column is named with its table: a bare name
that is a parameter's would mean the parameter.
"""

from lake.adjustment import APPLIED, DIVIDENDS, SPIN_OFFS, SPLITS
from lake.datasets import BARS_1M, BARS_DAILY, DATASETS, Dataset
from lake.timeframes import NEEDED

#: As in :mod:`lake.closes`, which cannot be named here: the catalog's layout needs this module.
OLDEST_DAYS = 14
_NAN = "'NaN'::DOUBLE"
_DETAILS = ("rate", "new_rate", "source_rate", "new_symbol", "currency", "special", "sub_type")
_COLUMNS = ["source", "symbol", *NEEDED]


def known_bars(dataset: Dataset, moment: str) -> str:
    """SQL of the bars of a dataset as the lake knew them, with the columns of its table.

    Args:
        dataset: Which one.
        moment: SQL of a TIMESTAMPTZ; null for now. Where it is a constant null, DuckDB leaves the
            revisions out of its plan.
    """

    def columns(table: str) -> str:
        return ", ".join(f"{table}.{name}" for name in _COLUMNS)

    current = [
        f"SELECT {columns('c')} FROM lake.main.{table} c WHERE {moment} IS NULL OR c.recorded_at <= {moment}"
        for table in dataset.tables
    ]
    before = (
        f"SELECT {columns('r')} FROM lake.main.bar_revisions r WHERE r.dataset = '{dataset.name}' "
        f"AND r.recorded_at <= {moment} AND r.superseded_at > {moment}"
    )
    return "(" + " UNION ALL ".join([*current, before]) + ")"


def factors(*, symbol: str, source: str, adjust: str, moment: str) -> str:
    """SQL of the factors of one series, a row an ex date.

    Args:
        symbol: SQL of the ticker.
        source: SQL of a table with one row and the column ``source``.
        adjust: SQL of the adjustment.
        moment: SQL of when it was known; null for now.

    Returns:
        Columns ``ex_date``, ``divisor``, ``shares`` as :func:`lake.adjustment.factors` gives them,
        ``prior`` (the ex date before, null for the first) and ``trouble``: what the newest action
        without a factor is called, null where each has one.
    """
    mine = f"m.symbol = {symbol} AND m.source IN (SELECT x.source FROM {source} x)"
    then = f"({moment} IS NULL OR a.recorded_at <= {moment} AND (a.superseded_at IS NULL OR a.superseded_at > {moment}))"
    now = f"({moment} IS NOT NULL OR a.superseded_at IS NULL)"
    details = ", ".join(
        f"json_extract_string(a.details, '$.{name}') AS {name}" for name in _DETAILS
    )
    every = " UNION ALL ".join(
        f"SELECT m.timestamp FROM {known_bars(dataset, moment)} m WHERE {mine}"
        for dataset in DATASETS.values()
    )
    return f"""
        WITH told AS (
            SELECT DISTINCT a.ex_date, a.kind, a.ratio, a.amount, {details}
            FROM lake.main.corporate_actions a
            WHERE a.symbol = {symbol} AND {_applied(adjust)} AND {then} AND {now}
              AND a.source IN (SELECT split_part(x.source, ':', 1) FROM {source} x)),
        happened AS (
            SELECT t.* FROM told t JOIN (
                SELECT (max(e.timestamp) AT TIME ZONE 'America/New_York')::DATE AS newest FROM ({every}) e) n
            ON t.ex_date <= n.newest),
        wanted AS (
            SELECT {symbol} AS whose, t.ex_date AS day, true AS prior FROM happened t WHERE {_any("t", DIVIDENDS)}
            UNION SELECT {symbol}, t.ex_date, false FROM happened t WHERE {_any("t", SPIN_OFFS)}
            UNION SELECT t.new_symbol, t.ex_date, false FROM happened t
                WHERE {_any("t", SPIN_OFFS)} AND t.new_symbol IS NOT NULL),
        {_closes(symbol, source, adjust, moment)},
        valued AS (
            SELECT t.ex_date, t.kind, p.price AS prior_close, o.price AS ex_close,
                   CASE WHEN t.kind = 'stock_dividend' AND t.ratio IS NULL THEN 1 + TRY_CAST(t.rate AS DOUBLE)
                        ELSE t.ratio END AS ratio,
                   CASE WHEN {_any("t", SPIN_OFFS)} THEN n.price * coalesce(
                            TRY_CAST(t.new_rate AS DOUBLE) / TRY_CAST(t.source_rate AS DOUBLE), TRY_CAST(t.rate AS DOUBLE))
                        WHEN coalesce(t.currency, 'USD') = 'USD' THEN t.amount END AS amount
            FROM happened t
            LEFT JOIN closes p ON p.prior AND p.day = t.ex_date
            LEFT JOIN closes o ON NOT o.prior AND o.day = t.ex_date AND o.whose = {symbol}
            LEFT JOIN closes n ON NOT n.prior AND n.day = t.ex_date AND n.whose = t.new_symbol),
        days AS (
            SELECT v.ex_date, string_agg(DISTINCT replace(v.kind, '_', ' '), ' and ') AS kinds,
                   coalesce(product(coalesce(v.ratio, {_NAN})) FILTER ({_any("v", SPLITS)}), 1) AS ratio,
                   coalesce(sum(coalesce(v.amount, {_NAN})) FILTER ({_any("v", DIVIDENDS)}), 0) AS cash,
                   coalesce(sum(coalesce(v.amount, {_NAN})) FILTER ({_any("v", SPIN_OFFS)}), 0) AS parted,
                   max(v.prior_close) FILTER ({_any("v", DIVIDENDS)}) AS prior_close,
                   max(v.ex_close) FILTER ({_any("v", SPIN_OFFS)}) AS ex_close
            FROM valued v GROUP BY v.ex_date),
        own AS (
            SELECT d.ex_date, d.kinds,
                   CASE WHEN d.ratio > 0 AND d.ratio < 'Infinity'::DOUBLE THEN d.ratio ELSE {_NAN} END AS shares,
                   {_rest("d.cash", "1 - d.cash / d.prior_close")}
                   * {_rest("d.parted", "d.ex_close / (d.ex_close + d.parted)")} AS rest
            FROM days d)
        SELECT o.ex_date, product(o.shares / o.rest) OVER later AS divisor, product(o.shares) OVER later AS shares,
               lag(o.ex_date) OVER (ORDER BY o.ex_date) AS prior,
               max_by(o.kinds || ' of ' || {symbol} || ' on ' || o.ex_date, o.ex_date)
                   FILTER (isnan(o.shares / o.rest)) OVER () AS trouble
        FROM own o WINDOW later AS (ORDER BY o.ex_date DESC ROWS UNBOUNDED PRECEDING)"""


def _closes(symbol: str, source: str, adjust: str, moment: str) -> str:
    """The closes that are ``wanted``, as a common table ``closes``: ``whose day prior price``.

    A split needs none: where that is all there is, nothing is read.
    """
    series = f"""m.source IN (SELECT x.source FROM {source} x)
        AND ({adjust} = 'all' OR m.symbol = {symbol}) AND {adjust} IN ('dividend', 'all')"""
    return f"""
        asked AS (
            SELECT w.whose, w.day, w.prior, s.session_date, s."open", s."close",
                   max(s.session_date) OVER (PARTITION BY w.whose, w.day, w.prior) AS latest
            FROM wanted w JOIN lake.main.sessions s
            ON s.session_date >= CASE WHEN w.prior THEN w.day - {OLDEST_DAYS} ELSE w.day END
               AND s.session_date <= CASE WHEN w.prior THEN w.day - 1 ELSE w.day END),
        held AS (
            SELECT a.whose, a.day, a.prior, a.session_date, a.latest, 1 AS rank, max_by(m.close, m.timestamp) AS price
            FROM asked a JOIN (SELECT * FROM {known_bars(BARS_1M, moment)} m WHERE {series}) m
            ON m.symbol = a.whose AND m.timestamp >= a."open" AND m.timestamp < a."close"
               AND epoch_us(m.timestamp) // 86400000000 = date_diff('day', DATE '1970-01-01', a.session_date)
            GROUP BY a.whose, a.day, a.prior, a.session_date, a.latest
            UNION ALL
            SELECT a.whose, a.day, a.prior, a.session_date, a.latest, 0, m.close
            FROM asked a JOIN (SELECT * FROM {known_bars(BARS_DAILY, moment)} m WHERE {series}) m
            ON m.symbol = a.whose AND (m.timestamp AT TIME ZONE 'America/New_York')::DATE = a.session_date),
        newest AS (
            SELECT * FROM held h
            QUALIFY row_number() OVER (PARTITION BY h.whose, h.day, h.prior ORDER BY h.session_date DESC, h.rank) = 1),
        fetched AS (
            SELECT min(f."start") AS "start", max(f."end") AS "end" FROM (
                SELECT p.*, count(*) FILTER (p.apart) OVER (ORDER BY p."start", p."end" ROWS UNBOUNDED PRECEDING) AS island
                FROM (SELECT c."start", c."end", c."start" > max(c."end") OVER (
                          ORDER BY c."start", c."end" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
                      FROM lake.main.coverage c
                      WHERE c.dataset = '{BARS_1M.name}' AND c.symbol = {symbol}
                        AND c.source IN (SELECT x.source FROM {source} x)
                        AND ({moment} IS NULL OR c.recorded_at <= {moment})) p) f
            GROUP BY f.island),
        untold AS (
            SELECT n.day FROM newest n JOIN lake.main.sessions s
            ON s.session_date > n.session_date AND s.session_date <= n.latest
            ANTI JOIN fetched f ON f."start" <= s."open" AND f."end" >= s."close"),
        closes AS (
            SELECT n.whose, n.day, n.prior, n.price FROM newest n WHERE NOT n.prior
            UNION ALL
            SELECT n.whose, n.day, n.prior, n.price FROM newest n ANTI JOIN untold u ON u.day = n.day WHERE n.prior)"""


def _applied(adjust: str) -> str:
    choices = [
        f"({adjust} = '{name}' AND {_any('a', kinds)})" for name, kinds in APPLIED.items() if kinds
    ]
    return "(" + " OR ".join(choices) + ")"


def _any(table: str, kinds: tuple[str, ...]) -> str:
    return f"{table}.kind IN ({', '.join(repr(kind) for kind in kinds)})"


def _rest(paid: str, rest: str) -> str:
    """The part of a price that stays when something is paid out; NaN where it cannot be told."""
    return f"CASE WHEN {paid} = 0 THEN 1 WHEN {paid} > 0 AND {rest} > 0 AND {rest} <= 1 THEN {rest} ELSE {_NAN} END"
