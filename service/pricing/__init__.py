"""Pricing: the greatest a request can cost, and what it did cost. Pure once the data is loaded.

Rates are integers in pico-USD a unit, dated; a cost is summed exactly and rounded up once.
"""
