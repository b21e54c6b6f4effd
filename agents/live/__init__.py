"""The live agent: the bars of this minute, from a provider's stream, with REST for what it misses.

Who does what: :mod:`agents.live.agent` decides, commits and tells how it is; a stream
(``agents.sources``) queues what it hears; :mod:`agents.live.asking` asks REST for the newest minutes;
:mod:`agents.live.catching` fills the ledger; :mod:`agents.live.lease` sees to it that there is one.
"""
