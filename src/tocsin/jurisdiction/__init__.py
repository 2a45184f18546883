"""Dated law as data: what may be supplied, to whom, where and when, and why.

Files of rules come in (`reading`), one an instrument, with the suppliers they are about, and make
a `Rulebook`. A `Question` and a rulebook give a `Decision` (`decide`): an outcome, every rule with
the reason why it did or did not apply, and the instant at which the answer changes. From decisions
come tables over time (`timeline`, `simulate`), what another edition changes (`diff`), and a plan to
leave a market without one act that is forbidden (`withdrawal`). Nothing here knows how a thing is
supplied, and nothing here is legal advice.
"""
