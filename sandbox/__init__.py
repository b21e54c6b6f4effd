"""An Alpaca-compatible server over a folder of bars, or over bars it generates itself.

``python -m sandbox`` runs it, :func:`sandbox.serve.running` runs one beside a program, and
:func:`sandbox.server.create_app` is the application. It needs no keys and no network, and imports
none of the other rooms: to them it is a host like Alpaca's.

Without a folder it serves, for NYSE sessions since 2016-01-04 and the same for the same seed: SPY
(dividends), QQQ, AAPL, GOOGL, MSFT, IBM (dividends), SPLT (splits 4:1 on 2024-10-15), LATE (listed
on 2023-06-01), GONE (bought on 2024-07-01), NEWN (OLDN until 2024-09-03) and THIN (trades in about a
third of the regular minutes). Any other ticker that is asked for at the start gets a character from
its name.

A daily bar is near its minutes rolled up and not the same, as a real provider's: see
:mod:`sandbox.daily`. A folder's daily bars are those of the files in ``bars_1day`` inside it or
beside it; a symbol without one there has the days its minutes make.

What it does where Alpaca's behaviour is not documented: a bare date is a day of New York, included
whole as an end; multi-hour bars are counted from midnight in New York; reverse order (``sort=desc``)
reverses time, not symbols; a ticker that nobody has on the day of ``asof`` means the bars that bore it.

Its clock may run from any moment at any speed, it can misbehave by seed, and it tells the truth and
what was asked when: ``docs/sandbox.md``, and :class:`sandbox.control.Control` for programs.
"""
