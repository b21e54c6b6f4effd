-- A tour of the lake for the DuckDB CLI:
--   barlake sql --init -o lake.sql
--   duckdb -init lake.sql -f examples/tour.sql

-- What is here, and what each macro does.
SELECT dataset, symbol, source FROM shown_sources ORDER BY ALL;
SELECT name, example FROM macros;

-- Minutes of regular hours, the newest five.
SELECT timestamp, open, high, low, close, volume FROM bars WHERE symbol = 'SPY' AND is_regular ORDER BY timestamp DESC LIMIT 5;

-- A quarter of an hour from the open on, and a week.
SELECT timestamp, open, close, volume, vwap FROM bars_at('SPY', '15 minutes', regular_only := true) ORDER BY timestamp LIMIT 3;
SELECT session_date AS first_session, open, close FROM bars_at('SPY', '1 week') ORDER BY session_date;

-- Prices as traded beside those in the shares and the money of the newest session.
SELECT r.session_date, r.close AS traded, round(a.close, 4) AS adjusted
FROM bars_at('SPY', '1 day') r JOIN bars_at('SPY', '1 day', adjust := 'all') a USING (session_date)
ORDER BY session_date;

-- What a correction changed.
SELECT r.timestamp, r.kind, r.close AS before, b.close AS after
FROM bar_revisions r LEFT JOIN bars_1m b USING (source, symbol, timestamp) WHERE r.symbol = 'SPY' ORDER BY r.timestamp;

-- The provider's own daily bars beside the roll-up of the minutes.
SELECT d.session_date, d.close AS official, b.close AS last_minute
FROM daily d JOIN bars_1d b USING (symbol, session_date) WHERE d.symbol = 'SPY' ORDER BY d.session_date;
