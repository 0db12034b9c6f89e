"""Indicators: columns of float64 in, columns of float64 out, and for each a twin that takes one bar at a time.

Four rules hold for all of them, and the tests prove them for each one in the catalogue:

- A value is made from its own bar and earlier ones. Recomputing a prefix gives the same numbers, to the last bit.
- Before an indicator has seen enough bars it says NaN; what is not known is never made up.
- A NaN in an input splits the columns: that bar answers NaN, and the bars behind it are treated as a new beginning.
- The twin says what the column says: to the last bit, or within the tolerance that the catalogue states.

`catalogue.py` lists every indicator with its inputs, bounded parameters, outputs and warm-up.
"""
