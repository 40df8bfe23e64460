"""The ledger: holds, balances and rows in Redis. The only caller of Lua.

Words: a *hold* is money set aside for one running call; a *scope* (the key, its project) is what a
limit applies to. `reserve` takes a hold in every scope or none; `settle` turns it into spent money
and a row; `release` gives it back; `cancel` makes sure it never exists; `doubt` keeps it counted
while nobody knows what the call cost.
"""
