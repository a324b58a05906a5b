"""How captures are shown: draws what it is given, computes no statistic."""
