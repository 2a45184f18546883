"""Leaving a market in order: a dated plan from the rules, and a proof that it works.

A `Rulebook` and a place come in. `closings` finds at which instants which operations become
forbidden there, taking of several readings the strictest (`strictest`); `plan` makes dated steps of
that, each with its reason, and `markdown`, `ical` and `model` write them down. `population` makes
customers who do not exist, `simulate` runs them through the plan with every act put to the rules
first (`gate`), and `check`, which sees the journal only, asks the rules anew and says what was
wrong. Nothing here sends, pays or delivers anything.
"""
